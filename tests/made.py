"""Tables as people have them, made up: drawn from rules that are known."""

import csv
import io

import numpy as np

TEXTS = {
    "school": ["GP", "MS"],
    "sex": ["F", "M"],
    "address": ["U", "R"],
    "famsize": ["GT3", "LE3"],
    "Pstatus": ["A", "T"],
    "Mjob": ["at_home", "health", "other", "services", "teacher"],
    "Fjob": ["at_home", "health", "other", "services", "teacher"],
    "reason": ["course", "home", "other", "reputation"],
    "guardian": ["father", "mother", "other"],
    **{name: ["no", "yes"] for name in ("schoolsup", "famsup", "paid", "activities", "nursery", "higher", "internet")},
    "romantic": ["no", "yes"],
}
NUMBERS = ["age", "Medu", "Fedu", "traveltime", "studytime", "failures", "famrel", "freetime", "goout", "Dalc", "Walc"]
NUMBERS += ["health", "absences", "G1", "G2", "G3"]


def student_form(n=395, seed=0):
    """A form like that of the student-performance data: 33 columns, 17 of them texts, cells in quotes, semicolons."""
    draw = np.random.RandomState(seed)
    columns = {name: [f'"{draw.choice(levels)}"' for _ in range(n)] for name, levels in TEXTS.items()}
    numbers = {name: draw.randint(0, 5, n) for name in NUMBERS}
    numbers["age"] = draw.randint(15, 20, n)
    numbers["G1"] = draw.randint(3, 20, n)
    numbers["G2"] = np.clip(numbers["G1"] + draw.randint(-3, 4, n), 0, 20)
    numbers["G3"] = np.clip(numbers["G2"] + draw.randint(-2, 3, n), 0, 20)
    columns |= {name: [str(value) for value in values] for name, values in numbers.items()}
    assert len(columns) == 33
    lines = [";".join(f'"{name}"' for name in columns)]
    lines += [";".join(row) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def german_export(n=200, seed=1):
    """A table as a German Excel writes it: Latin-1, semicolons, decimal commas, thousands with points, ja and nein."""
    draw = np.random.RandomState(seed)
    income, area = draw.uniform(800, 9000, n), draw.uniform(20, 140, n)
    bought = income / 50 + area + draw.normal(0, 20, n) > 160
    lines = ["Einkommen;Fläche;Ort;Anteil;gekauft"]
    for i in range(n):
        amount = f"{income[i]:,.2f}".translate(str.maketrans(",.", ".,"))
        place = draw.choice(["Köln", "Münster", "Ulm"])
        share = f"{draw.randint(0, 100)},{draw.randint(0, 9)}%"
        lines.append(
            f"{amount};{area[i]:.1f};{place};{share};{'ja' if bought[i] else 'nein'}".replace(
                f"{area[i]:.1f}", f"{area[i]:.1f}".replace(".", ",")
            )
        )
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def r_export(n=200, seed=2):
    """A table as R's write.csv writes it: row names without a name, NA for missing values, TRUE and FALSE."""
    draw = np.random.RandomState(seed)
    lines = ['"","dose","group","smoker","sick"']
    for i in range(n):
        dose = draw.normal(5, 2)
        sick = draw.uniform() < 1 / (1 + np.exp(5 - dose))
        shown = "NA" if draw.uniform() < 0.1 else f"{dose:.3f}"
        smoker = ["TRUE", "FALSE", "NA"][draw.choice(3, p=[0.3, 0.65, 0.05])]
        lines.append(f'"{i + 1}",{shown},"{draw.choice(["a", "b", "c"])}",{smoker},"{"yes" if sick else "no"}"')
    return "\n".join(lines) + "\n"


def titanic(n=600, seed=3):
    """A passenger list: names, tickets and cabins as texts, ages and cabins with gaps."""
    draw = np.random.RandomState(seed)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ["PassengerId", "Survived", "Pclass", "Name", "Sex", "Age", "SibSp", "Ticket", "Fare", "Cabin", "Embarked"]
    )
    for i in range(n):
        sex, cls = draw.choice(["male", "female"]), int(draw.choice([1, 2, 3]))
        survived = draw.uniform() < (0.75 if sex == "female" else 0.2)
        age = "" if draw.uniform() < 0.2 else f"{max(draw.normal(30, 14), 0.5):.1f}".removesuffix(".0")
        cabin = f"{draw.choice(list('ABCDE'))}{draw.randint(1, 120)}" if cls == 1 and draw.uniform() < 0.7 else ""
        ticket = f"{draw.choice(['', 'PC ', 'A/5 '])}{draw.randint(1000, 9000)}"
        port = draw.choice(["S", "C", "Q", ""], p=[0.7, 0.18, 0.11, 0.01])
        name = f'Person {i}, Mr. "No. {i}"'
        rows.writerow(
            [
                i + 1,
                int(survived),
                cls,
                name,
                sex,
                age,
                draw.randint(0, 3),
                ticket,
                f"{draw.uniform(5, 90):.4f}",
                cabin,
                port,
            ]
        )
    return text.getvalue()


def many_levels(n=3000, levels=200, seed=4):
    """A table with a column of 200 levels, each with its own share of yes."""
    draw = np.random.RandomState(seed)
    shares = draw.uniform(0.05, 0.95, levels)
    lines = ["city,amount,answer"]
    for _ in range(n):
        k = draw.randint(levels)
        lines.append(f"city {k},{draw.uniform(0, 10):.2f},{'yes' if draw.uniform() < shares[k] else 'no'}")
    return "\n".join(lines) + "\n"


def rows_of(n, label=lambda i: "yes" if i % 9 > 3 else "no", **columns):
    """A table as CSV: a column for each function of the row's number, and y."""
    lines = [",".join([*columns, "y"])]
    lines += [",".join([*(str(column(i)) for column in columns.values()), label(i)]) for i in range(n)]
    return "\n".join(lines) + "\n"
