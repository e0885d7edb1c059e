"""What goes over the wire, for checks of what comes in and for the OpenAPI page of what goes out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepxrd.serve.jobs import State
from deepxrd.serve.settings import MOST_FORMULAS

_Text = Annotated[str, Field(max_length=2000)]
_Angle = Annotated[float, Field(ge=0, le=180)]


class PredictQuestion(BaseModel):
    """Formulas, and what their patterns are drawn for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"formulas": ["SrTiO3"]}]})

    formulas: Annotated[list[_Text], Field(min_length=1, max_length=MOST_FORMULAS)]
    radiation: Annotated[str, Field(max_length=40, description="a tube or a wavelength: Cu, MoKa, 0.165A, 75keV")] = (
        "Cu"
    )
    first_deg: Annotated[_Angle, Field(description="first 2θ of the patterns, degrees")] = 5.0
    last_deg: Annotated[_Angle, Field(description="last 2θ of the patterns, degrees")] = 90.0
    width_deg: Annotated[float, Field(gt=0, le=10, description="full width of a line at half maximum, 2θ")] = 0.1


class Grid(BaseModel):
    """The even grid of a pattern, degrees 2θ."""

    first_deg: float
    last_deg: float
    n_points: int


class Structure(BaseModel):
    """A structure of a formula, known or predicted."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="id in the library, or the candidate's rank")
    probability: float | None = Field(description="of a candidate, that it is the structure; null for a known one")
    space_group: int
    symbol: str
    crystal_system: str
    prototype: str
    cell: list[float] = Field(description="a, b, c in Å and α, β, γ in degrees of the conventional cell")
    cell_deviation: list[float] | None = Field(description="standard deviation of each, of a candidate")
    origin: str
    cif: str
    cell_view: str = Field(description="CIF of the whole cell without symmetry, to be drawn")
    n_not_drawn: int = Field(description="atoms of a very large cell that cell_view leaves out")
    intensity: list[float] = Field(description="the pattern on the grid, the strongest 100")
    no_pattern: str | None = Field(description="why the pattern is zero; null where it is not")
    lines: list[list[float | str]] = Field(description="the strongest lines: 2θ in degrees, intensity, d in Å, hkl")


class FormulaAnswer(BaseModel):
    """All that is said of a formula."""

    model_config = ConfigDict(extra="allow")

    typed: str
    formula: str
    hint: str | None = Field(description="another formula that may be meant")
    learned: bool = Field(description="whether the model has learned from this composition")
    n_known: int
    known: list[Structure]
    n_candidates: int
    none_of_them: float = Field(description="probability that it is none of the candidates")
    crystal_system: str | None = Field(description="the likeliest, by all candidates together")
    crystal_system_probability: float | None
    space_groups: list[dict[str, Any]] = Field(description="the likeliest, each with number, symbol and probability")
    candidates: list[Structure]
    pattern: Grid
    wavelength_angstrom: float
    peaks_wavelength_angstrom: float = Field(description="of the angles of peaks, whatever radiation was asked for")


class PredictAnswer(BaseModel):
    """Answers in the order of the question."""

    answers: list[FormulaAnswer]


class Understood(BaseModel):
    """What is understood of a formula."""

    formula: str | None
    hint: str | None
    known: int = Field(description="phases in the library")
    others: list[str] = Field(default=[], description="other known compounds of the same elements")
    message: str = Field(description="why it cannot be read; empty if it can")


class ScanAnswer(BaseModel):
    """What is understood of a measured pattern; `deepxrd scan` writes the same into its ``scans.json``."""

    model_config = ConfigDict(extra="allow")

    format: str
    text: list[str]
    points: dict[str, Any]


class MatchAnswer(BaseModel):
    """The phases of a scan."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(description="of the report")
    name: str
    verdict: str
    confident: bool
    similarity: float
    unexplained_share_of_intensity: float
    notes: list[str] = Field(description="what was left out, taken for granted, or seen")
    phases: list[dict[str, Any]]
    others: list[dict[str, Any]]
    curves: dict[str, Any]
    scan: dict[str, Any]


class JobAnswer(BaseModel):
    """A screening."""

    id: str
    name: str
    state: State
    created: float
    updated: float
    n_rows: int
    n_done: int
    n_skipped: int
    message: str


class RowsQuestion(BaseModel):
    """Which rows of a screening are shown."""

    model_config = ConfigDict(extra="forbid")

    sort: Annotated[str, Field(max_length=80)] = ""
    descending: bool = False
    contains: Annotated[str, Field(max_length=80)] = ""
    least: Annotated[dict[str, float], Field(max_length=10)] = {}
    first: Annotated[int, Field(ge=0)] = 0
    n: Annotated[int, Field(ge=0, le=200)] = 50


class RowsAnswer(BaseModel):
    """Rows of a screening."""

    columns: list[str]
    n_rows: int
    rows: list[list[Any]]


class About(BaseModel):
    """What the server is."""

    version: str
    most_formulas: int
    upload_mb: float
    radiations: list[str]
    elements: list[str]
    space_groups: list[str] = Field(description="symbols of the 230 space groups, by their numbers")
    examples: list[dict[str, Any]]
    keep_days: float


class ErrorAnswer(BaseModel):
    """What is wrong, and the way out."""

    error: str


ResultFile = Literal["results.parquet", "results.csv", "skipped.csv"]
