"""Names in many scripts, with the font that has each: some to train with, others only to judge by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

# ruff: noqa: E501, RUF001 - rows of names in many scripts


@dataclass(frozen=True, slots=True)
class Script:
    """One way of writing: a font file, names of which the even ones are for tuning, and a range of letters."""

    name: str
    font: str
    names: tuple[str, ...]
    letters: tuple[int, int] = (0, 0)
    is_held_out: bool = False

    def text(self, random: Random, half: int) -> str:
        """Return a name of one half (0 tuning, 1 held out), or letters at random while tuning."""
        if not half and self.letters != (0, 0) and random.random() < 0.5:
            words = [
                "".join(chr(random.randint(*self.letters)) for _ in range(random.randint(2, 7)))
                for _ in range(random.randint(1, 2))
            ]
            return " ".join(words)
        return random.choice(self.names[half::2])


SCRIPTS = (
    Script("Greek", "NotoSans-Regular.ttf", ("Παπαδόπουλος", "Γεωργίου Ελένη", "Νικολάου", "Δημητρίου"), (0x391, 0x3A9)),
    Script("Cyrillic", "NotoSans-Regular.ttf", ("Иванова Мария", "Кузнецов Олег", "Сидоров П.А.", "Петренко О.В."), (0x410, 0x44F)),
    Script("Hebrew", "NotoSansHebrew-Regular.ttf", ("אברהם כהן", "רחל לוי", "דוד מזרחי", "שרה פרץ"), (0x5D0, 0x5EA)),
    Script("Arabic", "NotoNaskhArabic-Regular.ttf", ("محمد علي", "فاطمة حسن", "يوسف إبراهيم", "خالد عبد الله"), (0x627, 0x64A)),
    Script("Persian", "NotoSansArabic-Regular.ttf", ("رضا کریمی", "پروین گلستان", "ژاله چگینی", "مهدی پورحسینی"), is_held_out=True),
    Script("Urdu", "NotoNastaliqUrdu-Regular.ttf", ("محمد اقبال", "عائشہ ملک", "بلال احمد", "نور جہاں"), is_held_out=True),
    Script("Devanagari", "NotoSansDevanagari-Regular.ttf", ("राजेश कुमार", "सुनीता शर्मा", "अनिल वर्मा", "प्रिया पटेल"), is_held_out=True),
    Script("Bengali", "NotoSansBengali-Regular.ttf", ("রহিম উদ্দিন", "শর্মিলা সেন", "অমিত দাস", "ফাতেমা খাতুন"), is_held_out=True),
    Script("Hangul", "NotoSansCJK-Regular.ttc", ("김민준", "박서연", "이지훈", "최수빈"), (0xAC00, 0xD7A3)),
    Script("Han", "NotoSansCJK-Regular.ttc", ("山田太郎", "李小龍", "王秀英", "佐藤花子"), (0x4E00, 0x7FFF)),
    Script("Kana", "NotoSansCJK-Regular.ttc", ("やまだ たろう", "スズキ イチロー", "さとう はなこ", "タナカ ケン"), (0x3042, 0x3093)),
    Script("Thai", "NotoSansThai-Regular.ttf", ("สมชาย ใจดี", "มาลี ศรีสุข", "ประเสริฐ", "วิชัย ทองคำ"), (0xE01, 0xE2E)),
    Script("Georgian", "NotoSansGeorgian-Regular.ttf", ("გიორგი ბერიძე", "ნინო კაპანაძე", "დავით", "მარიამ"), (0x10D0, 0x10F0)),
    Script("Armenian", "NotoSansArmenian-Regular.ttf", ("Արամ Սարգսյան", "Անի Պետրոսյան", "Դավիթ", "Մարիամ"), (0x561, 0x586)),
    Script("Ethiopic", "NotoSansEthiopic-Regular.ttf", ("አበበ በቀለ", "ሰላም ተስፋዬ", "ዳዊት", "ማርታ"), (0x1200, 0x1350)),
    Script("Tamil", "NotoSansTamil-Regular.ttf", ("முருகன்", "கமலா தேவி", "ரவி குமார்", "லட்சுமி"), (0xB95, 0xBB9)),
    Script("Telugu", "NotoSansTelugu-Regular.ttf", ("రాముడు", "సీతమ్మ", "వెంకట రావు", "లక్ష్మి"), (0xC15, 0xC39)),
    Script("Kannada", "NotoSansKannada-Regular.ttf", ("ರಮೇಶ್ ಗೌಡ", "ಸುಧಾ", "ಮಂಜುನಾಥ", "ಗೀತಾ"), (0xC95, 0xCB9)),
    Script("Gujarati", "NotoSansGujarati-Regular.ttf", ("રમેશ પટેલ", "હેતલ શાહ", "અમિત", "નીતા"), (0xA95, 0xAB9)),
    Script("Burmese", "NotoSansMyanmar-Regular.ttf", ("အောင်ဆန်း", "သီတာ", "မောင်မောင်", "ခင်ခင်"), is_held_out=True),
    Script("Khmer", "NotoSansKhmer-Regular.ttf", ("សុខា", "ច័ន្ទ ធី", "វិបុល", "ស្រីមុំ"), (0x1780, 0x17A2)),
    Script("Sinhala", "NotoSansSinhala-Regular.ttf", ("නිමල් පෙරේරා", "කුමාරි", "සුනිල්", "අනුලා"), (0xD9A, 0xDC6)),
    Script("Tibetan", "NotoSerifTibetan-Regular.ttf", ("བསྟན་འཛིན", "དོན་གྲུབ", "པདྨ", "ཚེ་རིང"), (0xF40, 0xF6A)),
    Script("Cherokee", "NotoSansCherokee-Regular.ttf", ("ᎠᎩᎦ", "ᏣᎳᎩ", "ᏍᏏᏉᏯ", "ᎤᏬᏚ"), (0x13A0, 0x13F4)),
)  # fmt: skip
