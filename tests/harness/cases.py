"""Generated documents and responses on which outcomes are compared: edge cases of every instruction and filter."""

FRAGMENTS = [
    "Dr. ", "Mr. Smith", "e.g. ", "U.S. ", "U.S.A. ", "J. K. Rowling", " a.m. ", "p.m. The ", "...", "?!", "!!! ", "\n", "\n\n", "“Hi.” ",
    '" ', "' ", "'tis ", "cannot ", "gonna ", "D'ye ", "I'M ", "HE'LL ", "N'T ", "(OK.) ", "[A] ", "{B} ", "--", "—", "– ", "*", "**", "***",
    "******", "#", "$5.00 ", "1,000 ", "3.14. ", "No. 5 ", "12. ", "\r\n", "\x85", "\u00a0", "\u2028", "\u3000", "\ufeff", "İ", "ı", "ſ", "K",
    "é", "É", "ß", "ẞ", "ǅ", "中文。", "日本", "हिन्दी ", "АБВ ", "𝔸𝔹 ", "🎉", "Inc. ", "Co. Ltd. ", "Ph.D. She", "etc. ", "vs. ", "JAN. ",
    "SECTION 1 ", "Section 2\n", "SECTION ٣", "PARAGRAPH 1", "Day 1 ", "Audience 1", "«x» ", "‘y’ ", "``", "''", "A", "B.", "the ", "The ",
    "However, ", "HELLO ", "world ", "½ ", "² ", "\t", "\x1c", "\0", "wanna ", "LEMME ", "'TWAS ", ":", ",", ";", "5:30 ", "http://x.com/a?b=1 ",
    "me@x.org ", "!", "?", ".", "<<A title>>", "<< >>", "<<<x", "P.S. ", "P.P.S ", "p. s. ", "p.p.s", "P. P. S.", "* point\n", "- point\n", "  * x\n",
    "*a*", "**b**", "* *", "*\n*", "My answer is yes.", "My answer is maybe.", '{"a": 1}', "```json\n", "```", "NaN", "[1, 2", "]", "null",
    "σς", "Σ", "ŉ", "ﬁ", "\u0301", "\u200d", "٣",
]

WORDS = ("the a model river of and to stone light quick brown fox jumps over lazy dog when they said that morning river SUN Moon word is it was "
         "not have be on with as by at from or an this but his her she he you we i good great friend nature simple").split()

# First sentences of the Universal Declaration of Human Rights and plain sentences, in the languages that IFEval asks for.
SENTENCES = {
    "en": "All human beings are born free and equal in dignity and rights.", "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.", "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।", "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.", "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。", "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.",
    "bn": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।", "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "th": "มนุษย์ทั้งปวงเกิดมามีอิสระและเสมอภาคกันในศักดิ์ศรีและสิทธิ", "ur": "تمام انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں۔",
    "ta": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.", "te": "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు.",
    "bg": "Всички хора се раждат свободни и равни по достойнство и права.", "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.", "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "fa": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.", "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.",
    "ne": "सबै व्यक्तिहरू जन्मजात स्वतन्त्र हुन् ती सबैको समान अधिकार र महत्व छ।", "sw": "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa.",
    "kn": "ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ ಜನಿಸಿದ್ದಾರೆ ಹಾಗೂ ಘನತೆ ಮತ್ತು ಹಕ್ಕುಗಳಲ್ಲಿ ಸಮಾನರಾಗಿದ್ದಾರೆ.", "mr": "सर्व मानवी व्यक्ति जन्मतःच स्वतंत्र आहेत व त्यांना समान प्रतिष्ठा व समान अधिकार आहेत.",
    "gu": "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર અને સમાન હોય છે.", "pa": "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਪਣੀ ਮਹਿਮਾ, ਸ਼ਾਨ ਅਤੇ ਹੱਕਾਂ ਦੇ ਪੱਖੋਂ ਜਨਮ ਤੋਂ ਹੀ ਆਜ਼ਾਦ ਹੈ।",
    "ml": "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടുംകൂടി ജനിച്ചിട്ടുള്ളവരാണ്.", "fi": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan.",
}


def sentence(R):
    words = [R.choice(WORDS) for _ in range(R.randint(2, 12))]
    return " ".join(words).capitalize() + R.choice([". ", ". ", "! ", "? ", "... ", ", and so on. ", ".\n", ".\n\n"])


def prose(R, most=30):
    return "".join(sentence(R) for _ in range(R.randint(0, most)))


def aimed(R, name, args):
    """Returns a text that is near the border of an instruction: it follows it about half the time."""
    near = lambda n: max(0, n + R.randint(-1, 1))
    kind = name.split(":")[1]
    if kind == "existence": return " ".join(R.choice([w, w.upper(), w + "s", "x"]) for w in args["keywords"])
    if kind == "frequency": return " ".join(R.choice([args["keyword"], args["keyword"].upper()]) for _ in range(near(args["frequency"])))
    if kind == "forbidden_words": return " ".join(R.choice([w, w + "s", "_" + w, w.upper(), "y", "z"]) for w in args["forbidden_words"][:3])
    if kind == "letter_frequency": return R.choice(["", "bcd "]) + R.choice([args["letter"], args["letter"].upper()]) * near(args["let_frequency"])
    if kind == "response_language": return R.choice([SENTENCES[R.choice(list(SENTENCES))], SENTENCES[args["language"]], SENTENCES[args["language"]] * 3])
    if kind == "number_sentences": return "".join(R.choice(WORDS) + " " + R.choice(WORDS) + R.choice([". ", "! ", "? "]) for _ in range(near(args["num_sentences"])))
    if kind == "number_words": return " ".join(R.choice(WORDS) for _ in range(near(args["num_words"])))
    if kind == "number_paragraphs": return R.choice(["\n***\n", " *** ", "***", "\n\n***\n\n"]).join(R.choice(["a b", "c.", "", "d"]) for _ in range(near(args["num_paragraphs"])))
    if kind == "nth_paragraph_first_word":
        parts = [prose(R, 2).strip() or "x" for _ in range(near(args["num_paragraphs"]))]
        n = args["nth_paragraph"] - 1
        if n < len(parts): parts[n] = R.choice(["", '"', "'", "*"]) + R.choice([args["first_word"], args["first_word"].capitalize(), "no"]) + R.choice([" x", ",", "'s x", ""])
        return R.choice(["\n\n", "\n\n", "\n\n\n"]).join(parts)
    if kind == "number_placeholders": return " ".join(R.choice(["[a]", "[b c]", "[]", "[\n]", "[[x]]"]) for _ in range(near(args["num_placeholders"])))
    if kind == "postscript": return R.choice(["P.S. x", "P.P.S x", "p.p.s. x", "P. S. x", "PS x", "P.S", "p. p. s", "\nP.S.\nx"])
    if kind == "number_bullet_lists": return "\n".join(R.choice(["* a", "- b", "  * c", "*d*", "** e", "*", "-", "+ f"]) for _ in range(near(args["num_bullets"])))
    if kind == "constrained_response": return R.choice(["My answer is yes.", "My answer is no", "my answer is yes.", "My answer is maybe. x"])
    if kind == "number_highlighted_sections": return " ".join(R.choice(["*a*", "**b**", "* *", "**", "*c\n*", "***d***"]) for _ in range(near(args["num_highlights"])))
    if kind == "multiple_sections": return "\n".join(args["section_spliter"] + R.choice([" ", "", "  ", "\n"]) + str(k + 1) + R.choice(["", "\n", ": x"]) for k in range(near(args["num_sections"])))
    if kind == "json_format": return R.choice(["```json\n%s\n```", "```\n%s```", "%s", "```JSON %s ```", "x %s"]) % R.choice(
        ['{"a": [1, 2.5e3, true, null]}', "[NaN, -Infinity]", '{"a": 01}', '"a\tb"', "{'a': 1}", '{"a": 1,}', "", "12", '"\\u12"', '{"a": "NaN"}', "-NaN", "1.", "[1] 2", '{"a":"x\ny"}', "truе"])
    if kind == "title": return R.choice(["<<a>>", "<<>>", "<< >>", "<<<>>>", "<<a\nb>>", "<a>", "x <<T>> y"])
    if kind == "two_responses": return R.choice(["******", " ****** ", "*******"]).join(R.choice(["a", "b", "", " "]) for _ in range(R.randint(1, 4)))
    if kind == "repeat_prompt": return R.choice([args["prompt_to_repeat"], args["prompt_to_repeat"].upper(), args["prompt_to_repeat"][1:], " \n" + args["prompt_to_repeat"] + " x"])
    if kind == "end_checker": return prose(R, 2) + R.choice([args["end_phrase"], args["end_phrase"].upper(), args["end_phrase"] + '"', args["end_phrase"] + " x", args["end_phrase"][:-1]])
    if kind == "capital_word_frequency": return " ".join(R.choice(["ABC", "I", "U.S.", "X-Y", "A1", "Don't"]) for _ in range(near(args["capital_frequency"])))
    if kind == "english_capital": return (prose(R, 3) or "HELLO there").upper() + R.choice(["", "", "x"])
    if kind == "english_lowercase": return (prose(R, 3) or "hello there").lower() + R.choice(["", "", "X"])
    if kind == "quotation": return '"' + prose(R, 2) + R.choice(['"', '" ', ""])
    return prose(R, 3)


def ifeval_response(R, doc):
    parts = [aimed(R, name, {k: v for k, v in args.items() if v}) for name, args in zip(doc["instruction_id_list"], doc["kwargs"])]
    k = R.random()
    text = "" if k < 0.3 else prose(R, 20)
    for part in parts:
        p = R.choice([0, len(text), R.randrange(len(text) + 1)])
        text = text[:p] + part + text[p:]
    for _ in range(R.choice([0, 0, 0, 1, 3, 10])):
        p = R.randrange(len(text) + 1)
        text = text[:p] + R.choice(FRAGMENTS) + text[p:]
    if k > 0.92: text = text.upper()
    elif k > 0.86: text = text.lower()
    elif k > 0.8: text = SENTENCES[R.choice(list(SENTENCES))] + text[:20]
    elif k > 0.78: text = R.choice(["", " ", "\n", "123", "...", "*", "\x1c", "!?"])
    if R.random() < 0.1: text = "Sure, here it is:\n" + text
    if R.random() < 0.1: text = text + "\nI hope this helps."
    return text


def number_response(R, answer):
    number = answer.split("#### ")[-1]
    values = [number, number + ".", number + ".0", "$" + number, number.replace(",", ""), "-" + number, f"{number} dollars", "0", "1,234", "1.5.2", "٣", "$", "..", ",", ""]
    forms = ["#### %s", "####%s", "####  %s", "The answer is %s.", "The answer is %s", "the answer is %s.", "A: %s", "%s", "#### -%s\n#### 7", "<<1+1=%s>>%s", "\n%s\n", "So %s - 5 = x"]
    text = ""
    for _ in range(R.randint(0, 5)):
        form = R.choice(forms)
        text += form.replace("%s", R.choice(values)) + R.choice(["", " ", "\n", ". ", "\u2028", "\r\n"])
    return text + (R.choice(FRAGMENTS) if R.random() < 0.2 else "")


def letter_response(R):
    forms = ["the answer is (%s)", "the answer is %s.", "The answer is (%s).", "answer is \n(%s)", "The answer is %s", "The answer is ", "The answer is \n", "(%s)", "%s", ": %s", ":\n%s", "answer: (%s)", "The answer is (%s", "the  answer is %s)"]
    text = ""
    for _ in range(R.randint(0, 4)):
        text += R.choice(forms).replace("%s", R.choice("ABCDEFGHIJKZabe")) + R.choice(["", " ", "\n", ". ", ".\n", "\u2028"])
    return text + (R.choice(FRAGMENTS) if R.random() < 0.2 else "")


def gpqa_rows(R, count):
    texts = ["10^-4 eV", "Guilty", "Guilty of Romance", "  two  spaces ", "a [title] b", "x.", "X", "...", "-", "(A)", "3.5 cm", "naïve", "ΔG < 0", "B", "yes, it is", "it is", "100", "10", "\u2014", "İ"]
    rows = []
    for k in range(count):
        a, b, c, d = R.sample(texts, 4)
        rows.append({"Question": f"{prose(R, 2)} {k}?", "Incorrect Answer 1": a, "Incorrect Answer 2": b, "Incorrect Answer 3": c, "Correct Answer": d})
    return rows


def gpqa_response(R, doc):
    text = letter_response(R)
    for _ in range(R.randint(0, 2)):
        text += R.choice(doc["choices"]) + R.choice(["", " ", ".", "\n"])
    return text


def mmlu_rows(R, count, with_thoughts):
    rows = []
    for k in range(count):
        options = [R.choice(WORDS) + R.choice(["", " ", "."]) + str(i) for i in range(R.randint(3, 10))]
        answer = R.randrange(len(options))
        rows.append({
            "question_id": k, "question": f"{prose(R, 2)}{k}?", "options": options, "answer": "ABCDEFGHIJ"[answer], "answer_index": answer,
            "category": ["biology", "computer science"][k % 2], "src": "generated",
            "cot_content": f"A: Let's think step by step. {prose(R, 2)}The answer is ({'ABCDEFGHIJ'[answer]})." if with_thoughts else "",
        })
    return rows
