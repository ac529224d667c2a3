"""Descriptors in Chinese, Japanese and Korean stay; people among them go, though nothing is known of them."""

from __future__ import annotations

import pytest

from deid.identity.keys import SiteKey
from deid.identity.shifts import Shift
from deid.text.cleaning import TextCleaning
from deid.text.folding import words
from deid.text.policy import TextPolicy

CLEANERS = {
    strict: TextCleaning(TextPolicy((), strict=strict), SiteKey(bytes(range(32))))
    for strict in (True, False)
}

DESCRIPTORS = sorted(
    words(
        """
        胸部X線正面 冠動脈CTA 肝臓ダイナミック 副鼻腔 拡散強調画像 全身PET 上腹部エコー 脳血流シンチ 胃透視
        骨密度測定 造影剤あり 動脈優位相 肺野条件 位置決め画像 三次元画像 最大値投影 線量レポート 腰椎4方向
        顎関節 踵骨軸位
        パノラマ撮影 内耳道 下垂体 ポータブル胸部 立位腹部 T1強調脂肪抑制 胆管膵管撮影 椎間板ヘルニア 子宮筋腫
        腰椎正侧位 肺窗 颈动脉CTA 上腹部平扫 肝胆胰脾彩超 乳腺钼靶 踝关节正侧位 鼻窦CT 垂体MRI动态增强 碘图
        胆道水成像 静脉肾盂造影 全身显像 纵隔窗 薄层扫描 三维重建 多平面重建 剂量报告 门静脉期 左前斜位 虚拟平扫
        弥散加权成像 脂肪抑制 急诊 床旁胸片 仰卧位 儿童胸片 孕早期 低剂量肺筛查 椎间盘突出 子宫肌瘤
        유방촬영술 관상동맥CTA 부비동 측두골 간역동 요로조영 골밀도 전신PET 심근관류 확산강조영상 지방억제
        조영전 동맥기 문맥기 축상면 시상면 얇은절편 종격동창 연조직창 삼차원 최대강도투사 저선량폐검진 흡기
        이동형흉부 기립위 앙와위 수술전 응급 소아 산과초음파 경동맥초음파 추간판탈출 자궁근종
        """
    )
)


@pytest.mark.parametrize("text", DESCRIPTORS)
def test_descriptors_of_other_scripts_stay(text: str) -> None:
    for strict, cleaner in CLEANERS.items():
        assert cleaner.clean(text, (), shift=Shift(5)).text == text, strict


FAMILIES = {
    "胸部CT": words(
        "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 佐々木 山口 松本 井上 木村 清水 森 池田"
    ),
    "胸部CT平扫": words(
        "王 李 张 刘 陈 杨 黄 赵 吴 周 徐 孙 马 朱 胡 郭 何 林 高 梁 郑 方 安 平 白 石 金 万 常 武"
    ),
    "흉부CT": words(
        "김 이 박 최 정 강 조 윤 임 한 오 서 신 권 황 안 송 류 전 홍 고 문 양 손 배 백 허 유 심 소 대"
    ),
}
GIVEN = {
    "胸部CT": words("花子 一郎 健太 美咲 翔 陽菜 大輔 結衣 拓也 愛 さくら 誠 光 直樹 明"),
    "胸部CT平扫": words("伟 静 敏 洋 杰 帆 磊 薇 京 迅 志玲 圆圆 小明 建国 向明 量 心 位"),
    "흉부CT": words(
        "민준 서연 지연 지우 우성 수정 지민 민아 정민 신우 유선 현수 수진 연수 영상 정상"
    ),
}


@pytest.mark.parametrize("before", FAMILIES)
def test_people_among_descriptors_of_other_scripts_go(before: str) -> None:
    names = [family + given for family in FAMILIES[before] for given in GIVEN[before]]
    for cleaner in CLEANERS.values():
        left = [
            name
            for name in names
            if name in cleaner.clean(f"{before} {name}", (), shift=Shift(5)).text
        ]
        assert left == []
