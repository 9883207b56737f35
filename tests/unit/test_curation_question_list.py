"""Lists of questions as models write them, in several languages and shapes, and the questions that they hold."""
# ruff: noqa: RUF001 - people write with these marks

import pytest

from curation.question_list import split_questions

TWO = ("What causes gout?", "How is it treated?")

SAME = {
    "plain": "What causes gout?\nHow is it treated?",
    "blanks and empty lines": "\n  What causes gout?  \n\n\t\n How is it treated?\t\n",
    "Windows": "What causes gout?\r\nHow is it treated?\r\n",
    "line separators": "What causes gout?\u2028How is it treated?",
    "numbers": "1. What causes gout?\n2. How is it treated?",
    "numbers without a blank": "1.What causes gout?\n2.How is it treated?",
    "numbers to ten": "9) What causes gout?\n10) How is it treated?",
    "numbers in brackets": "(1) What causes gout?\n(2) How is it treated?",
    "numbers and colons": "1: What causes gout?\n2: How is it treated?",
    "numbers and dashes": "1 - What causes gout?\n2 – How is it treated?",
    "circled numbers": "① What causes gout?\n② How is it treated?",
    "keycaps": "1\ufe0f\u20e3 What causes gout?\n2\ufe0f\u20e3 How is it treated?",
    "full-width numbers": "１．What causes gout?\n２．How is it treated?",
    "Q": "Q1: What causes gout?\nQ2: How is it treated?",
    "Q without number": "Q: What causes gout?\nQ. How is it treated?",
    "Question": "Question 1: What causes gout?\nQUESTION 2 - How is it treated?",
    "Question on a line of its own": "Question 1\nWhat causes gout?\nQuestion 2:\nHow is it treated?",
    "letters in brackets": "(a) What causes gout?\nb) How is it treated?",
    "letters in a row": "A. What causes gout?\nB. How is it treated?",
    "Roman numbers": "i) What causes gout?\n(ii) How is it treated?",
    "hyphens": "- What causes gout?\n- How is it treated?",
    "stars": "* What causes gout?\n* How is it treated?",
    "dots": "• What causes gout?\n•How is it treated?",
    "dashes": "– What causes gout?\n— How is it treated?",
    "boxes to tick": "- [ ] What causes gout?\n- [x] How is it treated?",
    "quoted lines": "> What causes gout?\n> How is it treated?",
    "bullet and number": "- 1. What causes gout?\n- 2. How is it treated?",
    "bold": "**What causes gout?**\n__How is it treated?__",
    "bold numbers": "**1.** What causes gout?\n**2. How is it treated?**",
    "bold labels": "**Q1:** What causes gout?\n**Question 2:** How is it treated?",
    "bold words": "1. What causes **gout**?\n2. How is it **treated**?",
    "half a mark": "**What causes gout?\nHow is it treated?**",
    "italics": "*What causes gout?*\n_How is it treated?_",
    "quotation marks": '"What causes gout?"\n\u201cHow is it treated?\u201d',
    "German and French marks": "„What causes gout?\u201c\n« How is it treated? »",
    "Japanese marks": "「What causes gout?」\n『How is it treated?』",
    "marks and commas": '"What causes gout?",\n"How is it treated?"',
    "code": "`What causes gout?`\n`How is it treated?`",
    "a fence": "```\nWhat causes gout?\nHow is it treated?\n```",
    "JSON": '["What causes gout?", "How is it treated?"]',
    "JSON over lines": '[\n  "What causes gout?",\n  "How is it treated?"\n]',
    "JSON in a fence": '```json\n["What causes gout?", "How is it treated?"]\n```',
    "JSON object": '{"questions": ["What causes gout?", "How is it treated?"]}',
    "JSON objects": '[{"question": "What causes gout?"}, {"id": 2, "question": "How is it treated?"}]',
    "JSON by number": '{"1": "What causes gout?", "2": "How is it treated?"}',
    "a list of Python": "['What causes gout?', \"How is it treated?\"]",
    "numbers in JSON": '["1. What causes gout?", "2. How is it treated?"]',
    "broken over two lines": "1. What causes\n   gout?\n2. How is it treated?",
    "broken without numbers": "What causes\ngout?\nHow is it treated?",
    "lines that ask nothing": "---\n1. What causes gout?\n***\n2. How is it treated?\n...",
}


@pytest.mark.parametrize("name", SAME)
def test_a_list_in_any_dress_holds_the_same_questions(name: str) -> None:
    assert split_questions(SAME[name]).questions == TWO


@pytest.mark.parametrize("name", SAME)
def test_nothing_is_dropped_from_it(name: str) -> None:
    assert split_questions(SAME[name]).dropped == {}


INTRODUCED = {
    "english": "Here are two questions:\n\n1. What causes gout?\n2. How is it treated?",
    "without a colon": "Here are two questions.\nWhat causes gout?\nHow is it treated?",
    "sure": "Sure! Here are two questions based on the text:\n- What causes gout?\n- How is it treated?",
    "heading": "## Questions\nWhat causes gout?\nHow is it treated?",
    "bold heading": "**Questions:**\n\nWhat causes gout?\nHow is it treated?",
    "german": "Hier sind zwei Fragen:\nWhat causes gout?\nHow is it treated?",
    "chinese": "以下是两个问题：\n1. What causes gout?\n2. How is it treated?",
    "hope": "1. What causes gout?\n2. How is it treated?\n\nI hope these questions help!",
    "offer": "1. What causes gout?\n2. How is it treated?\n\nWould you like more questions?",
    "note": "What causes gout?\nHow is it treated?\nNote: both stand alone.",
}


@pytest.mark.parametrize("name", INTRODUCED)
def test_what_speaks_about_the_questions_is_dropped_and_counted(name: str) -> None:
    found = split_questions(INTRODUCED[name])

    assert (found.questions, found.dropped) == (TWO, {"introduction": 1})


OTHERS = [
    # Headings within the list.
    ("Causes:\nWhat causes gout?\nTreatment:\nHow is it treated?", TWO, {"introduction": 2}),
    ("### Causes\n- What causes gout?\n### Treatment\n- How is it treated?", TWO, {"introduction": 2}),
    ("1. **Causes**\n   - What causes gout?\n2. **Treatment**\n   - How is it treated?", TWO, {"introduction": 2}),
    # Answers and remarks beside the questions.
    ("Q: What causes gout?\nA: Uric acid.\nQ: How is it treated?\nAnswer: With rest.", TWO, {"answer": 2}),
    ("1. What causes gout?\n(This asks for a cause.)\n2. How is it treated?", TWO, {"remark": 1}),
    # What only looks like a number, a letter, a heading or an introduction.
    ("1.5 mg of what is given?\n2.5 mg of what?", ("1.5 mg of what is given?", "2.5 mg of what?"), {}),
    ("E. coli causes what?\nH. pylori lives where?", ("E. coli causes what?", "H. pylori lives where?"), {}),
    ("2 weeks after surgery, what is done?", ("2 weeks after surgery, what is done?",), {}),
    ("-5 °C is how cold?", ("-5 °C is how cold?",), {}),
    ("Here are my hands: what is wrong?", ("Here are my hands: what is wrong?",), {}),
    ("Name the side effects of aspirin:", ("Name the side effects of aspirin:",), {}),
    ("1. List the causes of gout:\n2. Why?", ("List the causes of gout:", "Why?"), {}),
    ("List the causes of gout.\nDescribe its treatment.", ("List the causes of gout.", "Describe its treatment."), {}),
    ("A: what is vitamin A?", ("A: what is vitamin A?",), {}),
    ('"Gout" or "podagra"?\nWhat is "gout"?', ('"Gout" or "podagra"?', 'What is "gout"?'), {}),
    ('"What is "gout"?"', ('What is "gout"?',), {}),
    ("[Which] drug is [best]?", ("[Which] drug is [best]?",), {}),
    ("What is TNF-α * IL-6?", ("What is TNF-α * IL-6?",), {}),
    # Several languages, and lists without question marks.
    ("1、什么是痛风？\n2、如何治疗？", ("什么是痛风？", "如何治疗？"), {}),
    ("（1）什么是痛风\n（2）如何治疗", ("什么是痛风", "如何治疗"), {}),
    ("問1：痛風とは何ですか。\n問2：治療法は？", ("痛風とは何ですか。", "治療法は？"), {}),
    ("痛風とは何ですか\n治療法は何ですか", ("痛風とは何ですか", "治療法は何ですか"), {}),
    ("Frage 1: Was ist Gicht?\nFrage 2: Wie heilt man sie?", ("Was ist Gicht?", "Wie heilt man sie?"), {}),
    ("¿Qué es la gota?\n¿Cómo se trata?", ("¿Qué es la gota?", "¿Cómo se trata?"), {}),
    ("Вопрос 1: Что такое подагра?\nВопрос 2. Почему?", ("Что такое подагра?", "Почему?"), {}),
    ("١. ما هو النقرس؟\n٢. كيف يعالج؟", ("ما هو النقرس؟", "كيف يعالج؟"), {}),
    # Nothing to ask.
    ("", (), {}),
    (" \n\t\n---\n", (), {}),
    ("[]", (), {}),
    ('["", "What causes gout?", " ... "]', ("What causes gout?",), {"empty": 2}),
    ("What is \0?", (), {"unreadable": 1}),
    ("What is \ud83d?", (), {"unreadable": 1}),
]


@pytest.mark.parametrize(("text", "questions", "dropped"), OTHERS)
def test_a_line_is_a_question_only_if_it_is_certain(text: str, questions: tuple[str, ...], dropped: object) -> None:
    found = split_questions(text)

    assert (found.questions, found.dropped) == (questions, dropped)


HOSTILE = ("[", '{"a": ', "1. ", "**", '"', "(", "** a", "> ", "a.\n", "_ ")


@pytest.mark.parametrize("part", HOSTILE)
def test_a_hostile_text_is_split_in_no_time(part: str) -> None:
    assert len(split_questions(part * 20_000).questions) <= 20_000


def test_split_again_a_question_stays_as_it_is() -> None:
    for text in (*SAME.values(), *INTRODUCED.values(), *(text for text, _, _ in OTHERS)):
        for question in split_questions(text).questions:
            assert split_questions(question).questions == (question,)
