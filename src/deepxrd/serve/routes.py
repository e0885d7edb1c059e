"""The addresses of the REST API, under ``/api``."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from deepxrd import __version__
from deepxrd.chem import parse_typed_formula
from deepxrd.chem.typed_formula import hint
from deepxrd.errors import ConfigError, FormulaError
from deepxrd.io.files import safe_name
from deepxrd.serve import schemas
from deepxrd.serve.errors import NotFoundError
from deepxrd.serve.examples import example, examples
from deepxrd.serve.hints import others_of
from deepxrd.serve.jobs import Job
from deepxrd.serve.matching import MatchQuestion, ScanOptions
from deepxrd.serve.parts import Parts
from deepxrd.serve.reports import report_html
from deepxrd.serve.screening import PARQUET
from deepxrd.serve.settings import MOST_FORMULAS
from deepxrd.xrd.radiation import WAVELENGTHS_ANGSTROM

router = APIRouter(prefix="/api", responses={422: {"model": schemas.ErrorAnswer}})
_PIECE = 1 << 20


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _known_fields(request: Request) -> None:
    """Refuse a form with a field that nothing would read: a slip in a name must not be an answer to another question.

    Raises:
        ConfigError: there is one.
    """
    known = [field.alias for field in request.scope["route"].dependant.body_params]
    unknown = next((name for name in await request.form() if name not in known), None)
    if unknown is not None:
        msg = f"there is no field {unknown[:60]!r}: the fields are {', '.join(known)}"
        raise ConfigError(msg)


Server = Annotated[Parts, Depends(_parts)]
_FORM = [Depends(_known_fields)]
_Word = Annotated[str | None, Form(max_length=80)]
_Number = Annotated[int | None, Form(ge=1, le=10_000)]
_Upload = Annotated[UploadFile | None, File(description="a scan of any format that deepxrd reads")]
_Example = Annotated[str, Form(max_length=40, description="the name of an example, instead of a file")]


@router.get("/about", tags=["About"], summary="Version, limits and examples")
async def about(server: Server) -> schemas.About:
    """What a page needs to know at its start."""
    from deepxrd.chem import SYMBOLS
    from deepxrd.library.space_groups import symbol

    limits = server.settings.limits
    return schemas.About(
        version=__version__,
        most_formulas=MOST_FORMULAS,
        upload_mb=limits.upload_bytes / 2**20,
        radiations=[name for name in WAVELENGTHS_ANGSTROM if name.endswith("Ka")],
        elements=list(SYMBOLS),
        space_groups=[symbol(number) for number in range(1, 231)],
        examples=examples(),
        keep_days=limits.keep_days,
    )


@router.get("/formula", tags=["Predict"], summary="What is understood of a formula")
async def formula(server: Server, text: Annotated[str, Query(max_length=2000)]) -> schemas.Understood:
    """Asked while a formula is typed, so it is never an error."""
    try:
        parsed = parse_typed_formula(text)
    except FormulaError as error:
        return schemas.Understood(formula=None, hint=None, known=0, message=str(error))
    known = len(server.libraries.find_formula(parsed))
    others = others_of(server.libraries, parsed)
    return schemas.Understood(formula=str(parsed), hint=hint(text), known=known, others=others, message="")


@router.post(
    "/predict",
    tags=["Predict"],
    summary="Patterns and candidate structures of formulas",
    response_model=schemas.PredictAnswer,
)
async def predict(server: Server, question: schemas.PredictQuestion) -> Response:
    """Known phases and predicted candidates of each formula, with patterns, lines and CIFs."""
    view = (question.radiation, question.first_deg, question.last_deg, question.width_deg)
    parsed = [parse_typed_formula(text) for text in question.formulas]
    keys = [(*each.written, *view) for each in parsed]
    found = {key: server.answers[key] for key in keys if key in server.answers}
    missing = {key: each for key, each in zip(keys, parsed, strict=True) if key not in found}
    if missing:
        new = await server.pool.call("predict", [*missing.values()], *view, limit_s=server.settings.limits.prediction_s)
        found |= dict(zip(missing, new, strict=True))
    for key in keys:
        server.remember(key, found[key])
    answers = [_with_typed(text, found[key]) for text, key in zip(question.formulas, keys, strict=True)]
    return Response(b'{"answers":[' + b",".join(answers) + b"]}", media_type="application/json")


def _with_typed(text: str, answer: bytes) -> bytes:
    head = json.dumps({"typed": text, "hint": hint(text)}).encode()
    return head[:-1] + b"," + answer[1:]


@router.post(
    "/scan",
    tags=["Match"],
    summary="What is understood of a measured pattern",
    response_model=schemas.ScanAnswer,
    dependencies=_FORM,
)
async def scan(  # noqa: PLR0917 - FastAPI hands all over by name
    server: Server,
    file: _Upload = None,
    example_name: _Example = "",
    radiation: _Word = None,
    axis: _Word = None,
    scan: _Number = None,
) -> Response:
    """Format, axis, wavelength, what was left out, and the points."""
    options = ScanOptions(radiation or None, axis or None, scan)
    async with _on_disk(server, file, example_name) as (path, name):
        limit_s = server.settings.limits.prediction_s
        answer = await server.pool.call("scan", path, name, options, limit_s=limit_s)
    return JSONResponse({"file": name, **answer})


@router.post(
    "/match",
    tags=["Match"],
    summary="The phases of a measured pattern",
    response_model=schemas.MatchAnswer,
    dependencies=_FORM,
)
async def match(  # noqa: PLR0917 - as above
    server: Server,
    file: _Upload = None,
    example_name: _Example = "",
    elements: Annotated[str, Form(max_length=400, description="such as Ca,W,O")] = "",
    formulas: Annotated[str, Form(max_length=4000, description="separated by commas or spaces")] = "",
    unseen: Annotated[bool, Form(description="leave known structures out, and try predicted ones")] = False,  # noqa: FBT002
    most_phases: Annotated[int, Form(ge=1, le=4)] = 4,
    radiation: _Word = None,
    axis: _Word = None,
    scan: _Number = None,
) -> Response:
    """Structures are refined against the scan; says how probable each phase is. The answer is kept as a report."""
    options = ScanOptions(radiation or None, axis or None, scan)
    question = MatchQuestion(_words(elements), _words(formulas), unseen, most_phases)
    async with _on_disk(server, file, example_name) as (path, name):
        limit_s = server.settings.limits.match_s
        answer = await server.pool.call("match", path, name, options, question, limit_s=limit_s)
    kept = server.reports.keep({"name": name, "asked": asdict(question), "deepxrd": __version__, **answer})
    return JSONResponse(kept)


@router.get(
    "/matches/{report_id}", tags=["Match"], summary="A match that was kept, as JSON", response_model=schemas.MatchAnswer
)
async def report(server: Server, report_id: str) -> Response:
    """The same answer as of the match."""
    answer = server.reports.get(report_id)
    return JSONResponse(answer, headers=_attachment(f"match-{answer['id'][:8]}.json"))


@router.get("/matches/{report_id}/report.html", tags=["Match"], summary="The same as a page of HTML")
async def report_page(server: Server, report_id: str) -> HTMLResponse:
    """A page that needs nothing else, to be kept or printed."""
    answer = server.reports.get(report_id)
    return HTMLResponse(report_html(answer), headers=_attachment(f"match-{answer['id'][:8]}.html"))


@router.post("/jobs", tags=["Screen"], summary="Screen a table of formulas", status_code=201, dependencies=_FORM)
async def submit(server: Server, file: Annotated[UploadFile, File()]) -> schemas.JobAnswer:
    """A CSV or Parquet table with a column ``formula``; the screening runs in the background."""
    async with _on_disk(server, file, "") as (path, name):
        return _job(server.runner.submit(path, name))


@router.get("/jobs", tags=["Screen"], summary="All screenings, the newest first")
async def jobs(server: Server) -> list[schemas.JobAnswer]:
    """Those that wait, run, and have ended."""
    return [_job(each) for each in server.runner.store.all()]


@router.get("/jobs/{job_id}", tags=["Screen"], summary="One screening")
async def job(server: Server, job_id: str) -> schemas.JobAnswer:
    """How far it is."""
    return _job(server.runner.store.get(job_id))


@router.post("/jobs/{job_id}/cancel", tags=["Screen"], summary="End a screening")
async def cancel(server: Server, job_id: str) -> schemas.JobAnswer:
    """One that has ended already stays as it is."""
    return _job(server.runner.cancel(job_id))


@router.delete(
    "/jobs/{job_id}", tags=["Screen"], summary="End a screening and delete all that it left", status_code=204
)
async def delete(server: Server, job_id: str) -> None:
    """There is no way back."""
    server.runner.delete(job_id)


@router.post("/jobs/{job_id}/rows", tags=["Screen"], summary="Some rows of a screening's results")
async def rows(server: Server, job_id: str, question: schemas.RowsQuestion) -> schemas.RowsAnswer:
    """Sorted and filtered, without patterns."""
    table = _result(server, job_id, PARQUET)
    limit_s = server.settings.limits.prediction_s
    asked = question.model_dump()
    answer: dict[str, Any] = await server.pool.call("rows", table, asked, limit_s=limit_s)
    return schemas.RowsAnswer(**answer)


@router.get("/jobs/{job_id}/files/{name}", tags=["Screen"], summary="A file of a screening's results")
async def result_file(server: Server, job_id: str, name: schemas.ResultFile) -> FileResponse:
    """The table with patterns (Parquet), without (CSV), or the rows that were skipped."""
    return FileResponse(_result(server, job_id, name), headers=_attachment(f"screening-{job_id[:8]}-{name}"))


def _result(server: Parts, job_id: str, name: str) -> Path:
    found = server.runner.store.get(job_id)
    file = server.runner.folder_of(found) / name
    if found.state != "done" or not file.is_file():
        msg = f"the screening has no results: it is {found.state}"
        raise NotFoundError(msg)
    return file


def _job(found: Job) -> schemas.JobAnswer:
    return schemas.JobAnswer(**asdict(found))


@asynccontextmanager
async def _on_disk(server: Parts, upload: UploadFile | None, example_name: str) -> AsyncIterator[tuple[Path, str]]:
    """An upload in a file whose name is ours, with the name that it had, for people; or an example."""
    if upload is None or not (upload.filename or upload.size):
        if not example_name:
            msg = "there is no file: give one, or the name of an example"
            raise ConfigError(msg)
        yield example(example_name)
        return
    folder = server.settings.state / "uploads"
    folder.mkdir(exist_ok=True)
    ending = ".parquet" if (upload.filename or "").lower().endswith(".parquet") else ".csv"
    with NamedTemporaryFile(dir=folder, suffix=ending) as stream:
        while piece := await upload.read(_PIECE):
            stream.write(piece)
        stream.flush()
        yield Path(stream.name), _shown_name(upload.filename or "")


def _shown_name(name: str) -> str:
    """The last part of a file's name without what does not belong into a line of text."""
    last = re.split(r"[\\/]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:80] or "file"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,;]+", text) if word)


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{safe_name(name)}"'}
