"""Units at the end of an answer: lengths, times, money, percent, degrees, and nouns of which only the word is known."""

import itertools
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from rl_core.rewards.equivalence.language.words import number_of

Dimension = tuple[tuple[str, int], ...]  # base quantities and their exponents, in alphabetical order


@dataclass(frozen=True)
class Unit:
    """`scale` base units of a dimension; a noun (`apples`) has no dimension."""

    scale: Fraction
    dimension: Dimension
    noun: bool = False

    @property
    def is_percent(self) -> bool:
        return self.dimension == (("percent", 1),)

    @property
    def is_angle(self) -> bool:
        return self.dimension == (("degree", 1),)

    @property
    def is_radian(self) -> bool:
        return self.dimension == (("radian", 1),)


# Base quantity, then its units: size and names. Sizes are exact by definition, astronomical ones as rounded in textbooks.
_TABLE = """
length: 1 m meter metre; 1/100 cm CM centimeter centimetre; 1/1000 mm MM millimeter millimetre; 1000 km KM kilometer kilometre
length: 1/10 dm decimeter; 1/1000000 micrometer micron; 1/1000000000 nm nanometer; 1/1000000000000 pm picometer
length: 1/10000000000 angstrom; 254/10000 inch in; 3048/10000 foot feet ft; 9144/10000 yard yd; 1609344/1000 mile mi
length: 1852 nmi; 30857000000000000 parsec pc; 149597870700 au
mass: 1 g gram gramme; 1000 kg KG kilogram; 1/1000 mg milligram; 1000000 ton tonne; 45359237/100000 pound lb lbs; 45359237/1600000 ounce oz
mass: 166053906660/100000000000000000000000000000000000 amu
time: 1 s sec second; 60 min minute; 3600 h hr hour; 86400 d day; 604800 week wk; 31557600 year yr; 1/1000 ms millisecond
month: 1 month
money: 1 dollar usd buck; 1/100 cent penny pennies
euro: 1 euro eur
sterling: 1 pounds_sterling gbp
rupee: 1 rupee rs inr
yen: 1 yen jpy
percent: 1 %
degree: 1 degree deg; 1/60 arcminute arcmin; 1/3600 arcsecond arcsec
radian: 1 radian rad
celsius: 1 celsius C
fahrenheit: 1 fahrenheit
kelvin: 1 kelvin K
volume3: 1 L l liter litre; 1/1000 mL ml ML milliliter millilitre; 3785411784/1000000000 gallon gal; 946352946/1000000000 quart qt
volume3: 473176473/1000000000 pint pt
energy: 1 J joule; 1000 kJ kilojoule; 1/10000000 erg; 4184/1000 cal calorie; 4184 kcal kilocalorie
electronvolt: 1 eV electronvolt; 1000 keV; 1000000 MeV; 1000000000 GeV
power: 1 W watt; 1000 kW kilowatt; 1000000 MW megawatt
force: 1 N newton; 1000 kN; 1/100000 dyne
pressure: 1 Pa pascal; 1000 kPa; 101325 atm; 100000 bar
voltage: 1 V volt; 1/1000 mV; 1000 kV
current: 1 A amp ampere; 1/1000 mA
resistance: 1 ohm; 1000 kohm
capacitance: 1 F farad; 1/1000000 microfarad
frequency: 1 Hz hertz; 1000 kHz; 1000000 MHz; 1000000000 GHz
substance: 1 mol mole; 1000 kmol
energy: 3600 Wh; 3600000 kWh kwh; 3600000000 MWh
pressure: 689475729/100000 psi PSI
bit: 1 bit; 8 byte; 8000 kB KB kb; 8000000 MB mb; 8000000000 GB gb; 8000000000000 TB tb
rpm: 1 rpm RPM
bpm: 1 bpm BPM
decibel: 1 dB decibel
unit: 1 unit
"""
_AREAS = {"acre": Fraction(40468564224, 10**7), "hectare": Fraction(10**4), "ha": Fraction(10**4)}
_SPEEDS = {"mph": Fraction(1609344, 3600000), "kph": Fraction(5, 18), "kmph": Fraction(5, 18), "kmh": Fraction(5, 18)}


def _read_table() -> dict[str, Unit]:
    known: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        quantity, _, entries = line.partition(": ")
        for entry in entries.split("; "):
            size, *names = entry.split()
            unit = Unit(Fraction(size), (("length", 3),) if quantity == "volume3" else ((quantity, 1),))
            if quantity == "volume3":
                unit = Unit(unit.scale / 1000, unit.dimension)
            known |= dict.fromkeys(names, unit)
    known |= {name: Unit(size, (("length", 2),)) for name, size in _AREAS.items()}
    return known | {name: Unit(size, (("length", 1), ("time", -1))) for name, size in _SPEEDS.items()}


_KNOWN = _read_table()
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ATOM = re.compile(
    r"(?P<power>square|sq\.?|cubic|cu\.?)?\s*(?P<name>%|[A-Za-z_]+)\.?\s*"
    r"(?:\^\s*\{?\s*(?P<exponent>-?[0-9])\s*\}?|(?P<word>squared|cubed))?"
)
# Words that say more than what is counted.
_SAYING = """
or and to not between from at least most more less than about approximately over under if plus minus times of no none all any every some
where for with is are in mod base choose by through either both neither only except even odd x y z n k
"""
SAYING = frozenset(_SAYING.split())
_START = re.compile(r"(?<=[0-9)}\]!\u03c0\u00b0% ])\s*(?=[A-Za-z%\u00b0])|\s+/\s*(?=[A-Za-z])")
_UNIT_FRACTION = re.compile(r"(?<=[0-9}) ])\\frac ?\{ ?([A-Za-z]+(?:\^\{?[0-9]\}?)?) ?\} ?\{ ?([A-Za-z]+(?:\^\{?[0-9]\}?)?) ?\}$")
_COMPOUND = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)\.?(?:,? (?:and )?|$)")


def one_unit(text: str) -> str:
    """`1 hour and 30 minutes` in its first unit; any other text as it is."""
    parts = list(_COMPOUND.finditer(text))
    units = [_lookup(part[2]) for part in parts]
    if len(parts) < 2 or "".join(part[0] for part in parts) != text or None in units:
        return text
    known = [unit for unit in units if unit]
    if any(unit.dimension != known[0].dimension or unit.scale >= before.scale for before, unit in itertools.pairwise(known)):
        return text
    total = sum((Fraction(part[1]) * unit.scale for part, unit in zip(parts, known, strict=True)), Fraction(0))
    return f"{total / known[0].scale} {parts[0][2]}"


def split_unit(text: str) -> tuple[str, Unit | None]:
    """Value and unit of a cleaned answer; the whole text and None where it ends in no unit."""
    text = text.strip()
    if text.startswith("$") or text.startswith("-$"):
        rest = text.replace("$", "", 1)
        value, unit = split_unit(rest)
        if unit is None or (unit.noun and value == rest) or unit.dimension == (("money", 1),):
            return value, _KNOWN["dollar"]
        return (value, Unit(_KNOWN["dollar"].scale, _KNOWN["dollar"].dimension)) if unit.noun else (text, None)
    if match := re.match(r"(?i)(USD|EUR|GBP|Rs\.?|euros|pounds_sterling)\s*(?=[0-9])", text):
        name = match[1].lower().rstrip(".")
        return text[match.end() :], _KNOWN["euro" if name == "euros" else name]
    if fraction := _UNIT_FRACTION.search(text):
        text = f"{text[: fraction.start()]} {fraction[1]}/{fraction[2]}"
    spoken = re.fullmatch(r"([A-Za-z -]+) ([A-Za-z]+)", text)
    if spoken and (written := number_of(spoken[1])) and (unit := read_unit(spoken[2])):
        return written, unit
    for start in _START.finditer(text):
        value = text[: start.start()].rstrip()
        rest = text[start.start() :].strip()
        word, _, behind = rest.partition(" ")
        scale, rest = (_SCALES[word.lower()], behind.strip()) if word.lower() in _SCALES else (1, rest)
        if text[start.start() :].startswith("\u00b0") and re.search(r"sin|cos|tan|cot|sec|csc|cis", value):
            continue
        if value[-1:] in "+-/=^_(,<>" or not re.search(r"[0-9\u03c0]|[a-z]$", value):
            continue
        if not rest:
            return f"({value})\u00b7{scale}", None
        unit = read_unit(rest)
        if unit is not None and (not unit.noun or not re.search(r"[A-Za-z]{3,}$", value.replace("\\sqrt", ""))):
            value = re.sub(r"\s*\u00b7$", "", value)
            return (value if scale == 1 else f"({value})\u00b7{scale}"), unit
    return text, None


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """A unit such as `m/s^2`, `square inches`, `km s^{-1}` or `apples`; None for what is none."""
    text = text.strip().rstrip(".").strip()
    text = re.sub(r"^\((.*)\)$", r"\1", text)
    if re.match(r"\u00b0 ?([CFK])$", text):
        return _KNOWN[{"C": "celsius", "F": "fahrenheit", "K": "kelvin"}[text[-1]]]
    text = re.sub(r"^(?:\u00b0|degrees?)\s*(?:celsius|C)$", "celsius", text, flags=re.IGNORECASE)
    text = re.sub(r"^(?:\u00b0|degrees?)\s*(?:fahrenheit|F)$", "fahrenheit", text, flags=re.IGNORECASE)
    text = "degree" if text == "\u00b0" else text.replace("electron volt", "electronvolt").replace("light year", "lightyear")
    measured = _measured(text)
    if measured is not None:
        return measured
    words = re.split(r"[\s-]+", text)
    plain = all(re.fullmatch(r"[A-Za-z]{3,}\.?|[A-Z]{2}|[A-Za-z]{2}\.", word) and word.lower() not in SAYING for word in words)
    is_noun = plain and len(words) <= 5 and re.fullmatch(r"[a-z]+\.?|[A-Z]{2,5}s", words[-1])
    return Unit(Fraction(1), (), noun=True) if is_noun else None


def _measured(text: str) -> Unit | None:
    scale, exponents = Fraction(1), dict[str, int]()
    position, sign = 0, 1
    while position < len(text):
        if divided := re.compile(r"\s*(/|per(?![a-z])|\u00b7|-(?=[a-z]))\s*").match(text, position):
            sign = -1 if divided[1] in ("/", "per") else sign if divided[1] == "\u00b7" else 1
            position = divided.end()
            continue
        atom = _ATOM.match(text, position)
        unit = _lookup(atom["name"]) if atom else None
        if atom is None or unit is None:
            return None
        power = {"s": 2, "c": 3}.get((atom["power"] or atom["word"] or " ")[0], int(atom["exponent"] or 1))
        if not unit.dimension:
            return None
        scale *= unit.scale ** (sign * power)
        for quantity, exponent in unit.dimension:
            exponents[quantity] = exponents.get(quantity, 0) + sign * power * exponent
        position = atom.end()
    dimension = tuple(sorted((quantity, exponent) for quantity, exponent in exponents.items() if exponent))
    return Unit(scale, dimension) if dimension else None


def _lookup(name: str) -> Unit | None:
    if name in _KNOWN:
        return _KNOWN[name]
    lower = name.lower()
    for candidate in (lower, lower.removesuffix("s"), lower.removesuffix("es")) if len(lower) > 2 else ():
        if candidate in _KNOWN and len(candidate) > 1:
            return _KNOWN[candidate]
    return None
