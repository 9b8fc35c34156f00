"""The compare page in headless Chromium: columns, streams, sliders, the tool, kept rows, keys, themes, a phone."""

import json
import os
import shutil
from pathlib import Path

import pytest
from serving import Scripted, server

from scripts.paths import CODE
from scripts.serve import catalog as catalogs
from scripts.serve import page
from scripts.serve import start as starts
from scripts.serve.engine import Size

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here")

ARGUMENTS = '{"cpf": "12345678901", "data_nascimento": "19850615"}'
CALL = f'<tool_call>\n{{"name": "unimed_consult", "arguments": {ARGUMENTS}}}\n</tool_call>'
SAID = "meu cpf é 123.456.789-01 e nasci em 15/06/1985"


class Engine(Scripted):
    """Answers by the weights that it is given, so that columns can be told apart."""

    size = Size(slots=2, context=2048)

    def __init__(self):
        super().__init__()
        self.asked = []

    async def healthy(self):
        return True

    async def complete(self, prompt, lora, options):
        on = {each["id"]: each["scale"] for each in lora if each["scale"]}
        self.asked.append(on)
        consulted = sum(1 for each in self.asked if each == {2: 1.0})
        self.turns = [
            CALL if on == {2: 1.0} and consulted == 1 else "Seu plano é o **Ouro** <b>já</b>." if on else "Hello!"
        ]
        async for piece in super().complete(prompt, lora, options):
            yield piece


@pytest.fixture
def site(runs, tmp_path, monkeypatch):
    """The page's server, and data sets that may be written to."""
    engine = Engine()
    monkeypatch.setattr(starts, "Engine", engine.start)
    for name in ("unimed-attendant", "kpi"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.yml").write_text("")
    tools = CODE / "datasets" / "unimed-attendant" / "tools.json"
    shutil.copy(tools, tmp_path / "unimed-attendant")
    monkeypatch.setattr(page, "DATASETS", tmp_path)
    with server(catalogs.of(runs), engine.size, extend=page.add) as client:
        client.datasets, client.engine = tmp_path, engine
        yield client


@pytest.fixture(scope="module")
def chromium():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=pt-BR"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, site):
    chromium.set_window_size(1280, 800)
    chromium.get(site.url)
    chromium.execute_script("localStorage.clear(); localStorage.setItem('language', 'pt-BR')")
    chromium.get(site.url)
    until(chromium, "return document.querySelectorAll('.column').length == 4")
    yield chromium
    severe = [
        entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE" and "favicon" not in str(entry)
    ]
    assert severe == []


def until(browser, script, seconds=60):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds).until(lambda driver: driver.execute_script(script))


def keys(browser, *pressed):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*pressed).perform()


def chord(browser, modifier, key):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).key_down(modifier).send_keys(key).key_up(modifier).perform()


def text_of(browser, model):
    return browser.execute_script(f"return document.querySelector('[data-model=\"{model}\"] .log').innerText")


def ask(browser, question):
    from selenium.webdriver.common.keys import Keys

    browser.execute_script("document.activeElement.blur()")
    keys(browser, "/")
    keys(browser, question, Keys.ENTER)
    until(browser, "return !document.querySelector('.busy') && document.querySelectorAll('.user').length > 0")


def shot(browser, name):
    """Kept where SCREENSHOTS says, to be looked at."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


def test_the_same_question_is_answered_side_by_side_with_the_tool_and_its_result(browser, site):
    ask(browser, SAID)
    assert "Hello!" in text_of(browser, "base")
    attendant = text_of(browser, "unimed-attendant")
    assert "unimed_consult" in attendant and '"encontrado": true' in attendant and "12345678901" in attendant
    assert "<b>já</b>" in attendant  # what a model says is text, never markup
    shot(browser, "light-pt")


def test_a_pair_is_kept_with_one_click_as_a_row_that_passes_the_gates(browser, site):
    ask(browser, SAID)
    browser.find_element("css selector", "[data-model=unimed-attendant] .keep button").click()
    until(
        browser,
        "return document.querySelector('[data-model=unimed-attendant] output').textContent.includes('kept.jsonl:1')",
    )
    row = json.loads((site.datasets / "unimed-attendant" / "rows" / "kept.jsonl").read_text(encoding="utf-8"))
    assert [message["role"] for message in row["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert row["messages"][1]["tool_calls"][0]["function"]["name"] == "unimed_consult" and row["kind"] == "kept"


def test_sliders_of_a_stack_change_its_weights(browser, site):
    from selenium.webdriver.common.keys import Keys

    buttons = {each.text: each for each in browser.find_elements("css selector", "#models button")}
    buttons["schema-kpi"].click()
    slider = browser.find_element("css selector", "[data-model=schema-kpi] input[type=range]")
    slider.send_keys(Keys.ARROW_LEFT * 10)
    site.engine.asked.clear()
    ask(browser, "oi")
    assert {0: 0.5, 1: 1.0} in site.engine.asked
    shot(browser, "stack")


def test_it_is_worked_with_the_keyboard_alone(browser, site):
    from selenium.webdriver.common.keys import Keys

    ask(browser, "oi")
    chord(browser, Keys.ALT, "1")
    assert not browser.find_elements("css selector", "[data-model=base]")
    chord(browser, Keys.ALT, "1")
    assert browser.find_elements("css selector", "[data-model=base]")
    chord(browser, Keys.ALT, "n")
    assert browser.execute_script("return document.querySelectorAll('.user').length") == 0
    assert browser.execute_script("return document.activeElement.id") == "question"


def test_it_speaks_portuguese_and_english_and_has_two_themes(browser, site):
    assert browser.find_element("css selector", ".send").text == "Enviar"
    browser.find_element("id", "language").click()
    assert browser.find_element("css selector", ".send").text == "Send"
    assert browser.execute_script("return document.documentElement.lang") == "en"
    before = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    browser.find_element("id", "theme").click()
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") != before
    ask(browser, SAID)
    shot(browser, "dark-en")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_in_both_themes(browser, site, theme):
    """WCAG AA: 4.5 to 1 between text and what lies behind it."""
    browser.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    values = browser.execute_script(
        "const s = getComputedStyle(document.documentElement);"
        "const names = ['paper','card','ink','soft','accent','on','call','bad'];"
        "return Object.fromEntries(names.map(n => [n, s.getPropertyValue('--'+n).trim()]))"
    )
    pairs = [("ink", "paper"), ("ink", "card"), ("soft", "card"), ("soft", "paper"), ("on", "accent"), ("ink", "call")]
    for front, back in [*pairs, ("soft", "call"), ("bad", "card")]:
        assert contrast(values[front], values[back]) >= 4.5, (theme, front, back)


def contrast(one: str, other: str) -> float:
    def luminance(color):
        digits = color.lstrip("#")
        digits = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_on_a_phone_nothing_is_cut_off(browser, site):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 375, "height": 667, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        ask(browser, "oi")
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        box = browser.execute_script("return document.querySelector('.send').getBoundingClientRect().toJSON()")
        assert box["right"] <= 375 and box["bottom"] <= 667 and box["height"] >= 40
        shot(browser, "phone")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_rows_that_the_gates_refuse_are_not_kept(site):
    good = [{"role": "user", "content": "oi"}, {"role": "assistant", "content": "Olá!"}]
    cases = [
        ({"adapter": "../x", "messages": good}, 404),
        ({"adapter": "kpi", "messages": [{"role": "user", "content": "meu cpf é 111.444.777-35"}, good[1]]}, 400),
        ({"adapter": "kpi", "messages": good[:1]}, 400),
        ({"adapter": "kpi", "messages": 1}, 400),
        ({"adapter": ["kpi"], "messages": good}, 404),
        ({"adapter": "kpi", "messages": good}, 201),
    ]
    for body, expected in cases:
        assert site.ask("/v1/rows", body)[0] == expected, body
    lines = (site.datasets / "kpi" / "rows" / "kept.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1


def test_the_page_is_one_file_that_loads_nothing_else(site):
    status, text = site.ask("/")
    assert status == 200
    assert "<link" not in text and "src=" not in text and "@import" not in text and "url(" not in text
