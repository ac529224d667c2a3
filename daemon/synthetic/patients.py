"""Synthetic people: nobody real, with names in the character sets that hospitals meet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patient:
    """A person who does not exist.

    Attributes
    ----------
    name
        Person Name as PS3.5 6.2 writes it, up to three component groups.
    character_set
        Specific Character Set (0008,0005); empty means that none is declared. A name that then
        does not fit the default repertoire is written as undeclared Latin-1 bytes, as many
        devices do.
    """

    name: str
    patient_id: str
    issuer: str
    birth_date: str
    sex: str
    age: str
    character_set: tuple[str, ...]
    address: str
    telephone: str
    referring_physician: str
    operator: str
    institution: str
    ward: str
    comment: str


PATIENTS = (
    Patient(
        name="Müller-Lüdenscheidt^Jürgen^Maria^Dr.",
        patient_id="MRN-4711002",
        issuer="DEMO-HOSPITAL",
        birth_date="19570312",
        sex="M",
        age="067Y",
        character_set=("ISO_IR 100",),
        address="Hauptstraße 17, 80331 Musterstadt",
        telephone="+49 89 5550142",
        referring_physician="Weißgerber^Käthe^^Dr.",
        operator="Schäfer^Uwe",
        institution="Klinikum Musterstadt Süd",
        ward="Station 4B",
        comment="Herr Müller-Lüdenscheidt, Tel. 089 5550142, bitte Tochter anrufen",
    ),
    Patient(
        name="Yamada^Tarou=山田^太郎=やまだ^たろう",
        patient_id="80012345",
        issuer="TOKYO-DEMO",
        birth_date="19481105",
        sex="M",
        age="076Y",
        character_set=("", "ISO 2022 IR 87"),
        address="東京都千代田区架空町1-2-3",
        telephone="03-5550-0199",
        referring_physician="Suzuki^Hanako=鈴木^花子=すずき^はなこ",
        operator="Tanaka^Ichirou=田中^一郎=たなか^いちろう",
        institution="架空中央病院",
        ward="西病棟3階",
        comment="山田様は前回の検査で造影剤アレルギー",
    ),
    Patient(
        name="Hong^Gildong=洪^吉洞=홍^길동",
        patient_id="KR-0092817",
        issuer="SEOUL-DEMO",
        birth_date="19710820",
        sex="F",
        age="053Y",
        character_set=("", "ISO 2022 IR 149"),
        address="서울특별시 가상구 예시로 42",
        telephone="02-555-0173",
        referring_physician="Kim^Cheolsu=金^哲洙=김^철수",
        operator="Lee^Younghee=李^英姬=이^영희",
        institution="가상대학교병원",
        ward="본관 7층",
        comment="홍길동 환자 추적 검사",
    ),
    Patient(
        name="Wang^XiaoDong=王^小东",
        patient_id="CN20240815001",
        issuer="BEIJING-DEMO",
        birth_date="19850101",
        sex="F",
        age="039Y",
        character_set=("GB18030",),
        address="北京市虚构区示例路88号",
        telephone="010-55550128",
        referring_physician="Zhang^Wei=张^伟",
        operator="Li^Na=李^娜",
        institution="虚构人民医院",
        ward="住院部五层",
        comment="王小东既往有手术史",
    ),
    Patient(
        name="Dvořáková^Žofie=ドヴォルザーク^ソフィー",
        patient_id="RC 855213/0417",
        issuer="PRAHA-DEMO",
        birth_date="19850213",
        sex="F",
        age="040Y",
        character_set=("ISO_IR 192",),
        address="Vymyšlená 8, 110 00 Příkladov",
        telephone="+420 555 010 177",
        referring_physician="Příhoda^Jiří^^MUDr.",
        operator="Šťastný^Čeněk",
        institution="Nemocnice Příkladov",
        ward="Oddělení 2",
        comment="Paní Dvořáková volala dne 3. 2., kontrola za měsíc",
    ),
    Patient(
        name="Björkström^Åsa^Ingegärd",
        patient_id="19630707-9287",
        issuer="",
        birth_date="19630707",
        sex="F",
        age="061Y",
        character_set=(),
        address="Exempelgatan 5, Exempelstad",
        telephone="08-555 0111",
        referring_physician="Lindqvist^Erik",
        operator="Holm^Anna",
        institution="Exempelstads lasarett",
        ward="Avd. 12",
        comment="See earlier films of Asa Bjorkstrom",
    ),
    Patient(
        name="Вымышленный^Аркадий^Львович",
        patient_id="ИБ-30177",
        issuer="DEMO-NORTH",
        birth_date="19900228",
        sex="M",
        age="034Y",
        character_set=("ISO_IR 144",),
        address="ул. Примерная, д. 3",
        telephone="+7 495 555 01 55",
        referring_physician="Примерова^Ольга",
        operator="Образцов^Пётр",
        institution="Городская больница примеров",
        ward="Отделение 6",
        comment="Больной Вымышленный переведен из отделения 2",
    ),
    Patient(
        name="Fictional^Mary Ann^O'Brien^Mrs.^PhD",
        patient_id="E0098123",
        issuer="DEMO-TRUST",
        birth_date="20011231",
        sex="F",
        age="023Y",
        character_set=(),
        address="12 Nowhere Lane, Exampleton EX4 4PL",
        telephone="+44 20 7946 0958",
        referring_physician="Invented^Thomas^^Dr.",
        operator="Imaginary^Sue",
        institution="Exampleton General Hospital",
        ward="Ward 9",
        comment="Mary Ann Fictional of 12 Nowhere Lane, NHS no 999 000 1234",
    ),
)
