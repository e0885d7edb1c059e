"""What each setting may be: one rule per setting, by group, as the files in ``conf`` have them.

Bounds are where a value stops to make sense or starts to need more than a machine has, not where it stops to be wise.
What depends on other settings, such as 2θ ranges, is checked by the classes that the settings make.
"""

from __future__ import annotations

from deepxrd.config.rules import (
    Among,
    Day,
    Either,
    Flag,
    Group,
    Listed,
    Loggers,
    Named,
    Null,
    Off,
    Part,
    Real,
    Rule,
    Text,
    Whole,
)  # fmt: skip
from deepxrd.io import limits

_ONE_HOT = "deepxrd.chem.OneHotEncoding"  # of older runs, which have no _target_ there
_COUNT = Whole(1, 1_000_000)
_SEED = Whole(0, 2**32 - 1)
_OTHER_SEED = Whole(0, 2**63 - 1)
_NOT_NEGATIVE, _POSITIVE = Real(low=0), Real(above=0)
_ANGLE = Real(*limits.TWO_THETA_DEG)
_PROCESSES = Whole(1, 4096, also=(-1,))
_SECONDS = Real(low=0, high=86_400)
_NAME = Either(Text(), Whole(0, 2**63 - 1))
_PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true", "bf16", "16", "32", "64")
_ELEMENTS_OF_ONE = Either(Whole(1, 118), Listed(Whole(1, 118)), Null())

XRD = Group(
    {
        "radiation": Either(Real(*limits.WAVELENGTH_ANGSTROM), Text()),
        "two_theta_min_deg": _ANGLE,
        "two_theta_max_deg": _ANGLE,
        "n_points": Whole(*limits.POINTS),
        "sigma_deg": Either(Real(low=1e-4, high=90), Real(low=0, high=0)),  # 0: sticks on the grid
        "axis": Text(("two_theta", "q")),
        "sigma_inv_angstrom": Either(Real(low=1e-6, high=10), Real(low=0, high=0)),
        "engine": Text(),
        "form_factors": Text(),
        "debye_waller_b_angstrom2": Real(low=0, high=100),
        "kalpha_doublet": Flag(),
    }
)
DATA = Group(
    {
        "name": _NAME,
        "selection": Group(
            {"n_elements": _ELEMENTS_OF_ONE, "stoichiometry": Either(Text(), Null()), "fits_one_hot": Flag()}
        ),
        "encoding": Part(
            {_ONE_HOT: {"elements": Either(Listed(Text()), Null()), "n_counts": Whole(2, 1000)}}, default=_ONE_HOT
        ),
        "split": Group(
            {
                "by": Text(),
                "before": Day(),
                "file": Either(Text(), Null()),
                "seed": _OTHER_SEED,
                "train": Real(above=0, below=1),
                "val": Real(above=0, below=1),
            }
        ),
        "batch_size": _COUNT,
        "eval_batch_size": _COUNT,
        "resident": Flag(),
        "max_epochs": _COUNT,
    },
    needed=("name", "selection", "encoding", "split", "batch_size", "eval_batch_size"),
)
BUILD = Group(
    {
        "n_jobs": _PROCESSES,
        "device": Text(),
        "backend": Text(("loky", "dask")),
        "scheduler": Either(Text(), Null()),
        "max_failed_share": Real(low=0, high=1),
        "max_atoms": Whole(1, 1_000_000),
        "max_cell_volume_angstrom3": Real(above=0, high=1e9),
        "max_reflections": Whole(1, 10**12),
    },
    needed=("n_jobs",),
)
PATHS = Group({"data_dir": _NAME, "output_dir": _NAME}, needed=("data_dir", "output_dir"), further=True)

_DOWNLOAD: dict[str, Rule] = {
    "stoichiometry": Either(Text(), Null()),
    "num_elements": _ELEMENTS_OF_ONE,
    "cache_dir": _NAME,
    "page_size": Whole(1, 10_000),
    "timeout_s": Real(above=0, high=86_400),
    "attempts": Whole(1, 1000),
    "backoff_s": _SECONDS,
    "backoff_cap_s": _SECONDS,
    "refresh": Flag(),
    "offline": Flag(),
}
SOURCE = Part(
    {
        "deepxrd.sources.prototypes.PrototypeSource": {"max_structures": _COUNT},
        "deepxrd.sources.files.FilesSource": {
            "citation": Either(Text(), Text(("",))),
            "max_volume_per_atom_angstrom3": Real(above=0, high=1e9),
        },
        "deepxrd.sources.materials_project.MaterialsProjectSource": {
            **_DOWNLOAD,
            "page_size": Whole(1, 1000),
            "include_gnome": Flag(),
            "dates": Flag(),
            "endpoint": Either(Text(), Null()),
        },
        "deepxrd.sources.optimade.OptimadeSource": {
            **_DOWNLOAD,
            "provider": Text(),
            "extra_filter": Either(Text(), Null()),
            "energy": Either(Text(), Null()),
            "hull": Either(Text(), Null()),
        },
    }
)
MODEL = Part(
    {
        "deepxrd.models.paper.DeepXRDNet": {
            "depth": Among((10, 15, 20, 25)),
            "norm": Flag(),
            "dropout": Real(low=0, below=1),
            "quick": Flag(),
        },
        "deepxrd.models.candidates.CandidateNet": {
            "networks": Whole(1, 1000),
            "library": Either(Text(), Null()),
        },
        "deepxrd.models.baselines.Comb": {"step_deg": Real(above=0, high=180), "start_deg": _ANGLE},
        "deepxrd.models.baselines.RandomPattern": {"seed": _OTHER_SEED},
        "deepxrd.models.baselines.Substitution": {"rescale": Flag()},
        "deepxrd.models.baselines.TemplateOracle": {"k": Whole(1, 1000)},
    }
)
LOSS = Part(
    {
        "deepxrd.losses.MultiscaleLoss": {
            "n_points": Whole(*limits.POINTS),
            "two_theta_min_deg": _ANGLE,
            "two_theta_max_deg": _ANGLE,
            "sigmas_deg": Listed(_ANGLE),
            "weights": Either(Listed(_NOT_NEGATIVE), Null()),
            "base": Part(),
        },
        "deepxrd.models.candidates.CandidateLoss": {
            "peak_weight": _NOT_NEGATIVE,
            "choice_weight": _NOT_NEGATIVE,
            "temperature": _POSITIVE,
        },
    }
)
OPTIMIZER = Part(
    {
        "torch.optim.": {
            "lr": _POSITIVE,
            "weight_decay": _NOT_NEGATIVE,
            "momentum": Real(low=0, high=1),
            "eps": _NOT_NEGATIVE,
            "fused": Either(Flag(), Null()),
            "nesterov": Flag(),
        }
    }
)
_STEPPED: dict[str, Rule] = {
    "total_steps": Either(Whole(1, 10**12), Text(("auto",)), Null()),
    "interval": Text(("epoch", "step")),
    "frequency": _COUNT,
    "monitor": Text(),
}
SCHEDULER = Part(
    {
        "deepxrd.training.schedules.WarmUpCosine": {
            **_STEPPED,
            "warm_up": Real(low=0, below=1),
            "least": Real(low=0, high=1),
        },
        "torch.optim.lr_scheduler.": {
            **_STEPPED,
            "T_max": _COUNT,
            "max_lr": _POSITIVE,
            "pct_start": Real(above=0, below=1),
            "mode": Text(("min", "max")),
            "factor": Real(above=0, below=1),
            "patience": Whole(0, 1_000_000),
        },
    },
    may_be_none=True,
)
TRAINER = Group(
    {
        "max_epochs": _COUNT,
        "min_epochs": Either(Whole(0, 1_000_000), Null()),
        "max_steps": Whole(1, 10**12, also=(-1,)),
        "accelerator": Text(),
        "devices": Either(Whole(1, 1024, also=(-1,)), Text(), Listed(Whole(0, 1023))),
        "num_nodes": Whole(1, 100_000),
        "strategy": Text(),
        "precision": Either(Text(_PRECISIONS), Among((16, 32, 64))),
        "log_every_n_steps": Whole(0, 10**12),
        "accumulate_grad_batches": _COUNT,
        "check_val_every_n_epoch": Either(_COUNT, Null()),
        "num_sanity_val_steps": Whole(0, 1_000_000, also=(-1,)),
        "gradient_clip_val": Either(_NOT_NEGATIVE, Null()),
        "enable_progress_bar": Flag(),
    },
    needed=("max_epochs", "accelerator", "devices", "precision", "enable_progress_bar"),
    further=True,  # Lightning's trainer takes many more
)
CALLBACKS = Named(
    Either(
        Part(
            {
                "pytorch_lightning.callbacks.EarlyStopping": {
                    "monitor": Text(),
                    "mode": Text(("min", "max")),
                    "patience": Whole(0, 1_000_000),
                    "min_delta": Real(),
                },
                "deepxrd.training.callbacks.MeanOfWeights": {
                    "decay": Real(low=0, below=1),
                    "warm_up_steps": Whole(1, 10**12),
                },
            }
        ),
        Null(),
    )
)
EVALUATE = Group(
    {
        "cases": Flag(),
        "baselines": Either(Listed(Text(), at_least=0), Off(), Null()),
        "table2": Flag(),
        "symmetry": Flag(),
        "dtw": Either(Group({"window_deg": Either(_ANGLE, Null()), "penalty": Real(low=0, high=1000)}), Null()),
        "n_resamples": Whole(1, 1_000_000),
        "device": Text(),
    }
)
CARD = Group({"figures": Flag(), "interactive": Flag(), "tsne": Flag(), "max_tsne": Whole(1, 1_000_000)})

_FOLDER = Either(_NAME, Null())
_TRUST = Listed(Text(), at_least=0)
# What others refer to comes first, so that a mistake is told where it was made.
_FOR_DATA: dict[str, Rule] = {"data": DATA, "xrd": XRD, "build": BUILD, "paths": PATHS, "source": SOURCE}
COMMANDS: dict[str, Group] = {
    "prepare": Group({**_FOR_DATA, "card": Either(CARD, Null())}, needed=tuple(_FOR_DATA)),
    "evaluate": Group(
        {
            **_FOR_DATA,
            "seed": _SEED,
            **dict.fromkeys(("run", "weights", "a", "b"), _FOLDER),
            "trust": _TRUST,
            "model": Either(MODEL, Null()),
            "evaluate": EVALUATE,
        },
        needed=(*_FOR_DATA, "evaluate"),
    ),
    "train": Group(
        {
            **_FOR_DATA,
            "seed": _SEED,
            "resume": _FOLDER,
            "trust": _TRUST,
            "runs_at_once": Either(Whole(1, 4096), Null()),
            "threads": Either(Whole(1, 4096), Null()),
            "model": MODEL,
            "loss": LOSS,
            "optimizer": OPTIMIZER,
            "trainer": TRAINER,
            "scheduler": Either(SCHEDULER, Null()),
            "callbacks": Either(CALLBACKS, Null()),
            "metrics": Either(Named(Either(Part(), Null())), Null()),
            "logger": Either(Loggers(), Null()),
        },
        needed=(*_FOR_DATA, "seed", "model", "loss", "optimizer", "trainer"),
    ),
    "report": Group(
        {"sweeps": Either(Text(), Listed(Text()), Null()), "metric": Text(), "paths": PATHS}, needed=("metric",)
    ),
}
"""Top level of each command: keys as in `deepxrd.config.schema`, which Hydra does not hold to what is added by +."""
