"""A code of a company is right where the library says so, though it is seldom asked."""

from random import Random

from stdnum.cn import uscc

from intake.codes import has_right_form

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ODD = "IOSVZa-é０ "


def right(random: Random) -> str:
    """A code with its own check character."""
    digits = "".join(random.choices("0123456789", k=6))
    start = random.choice("159") + random.choice("123456789")
    code = start + digits + "".join(random.choices(ALPHABET, k=9))
    return code + uscc.calc_check_digit(code)


def test_it_says_of_right_and_wrong_codes_what_the_library_says() -> None:
    random = Random(1)
    verdicts = []
    for _ in range(3_000):
        code = right(random)
        place = random.randrange(18)
        wrong = code[:place] + random.choice(ALPHABET + ODD) + code[place + 1 :]
        for each in (code, wrong, code[:-1], code + "0", ""):
            found = has_right_form(each)
            verdicts.append(found)
            if found:
                assert uscc.is_valid(each), each
                assert uscc.compact(each) == each, each
            else:
                assert not uscc.is_valid(each) or uscc.compact(each) != each, each
    assert 3_000 <= sum(verdicts) < 4_000
