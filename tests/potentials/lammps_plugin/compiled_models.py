"""Small NequIP and Allegro models with random weights, as eager ASE calculators and as files for LAMMPS.

No training: what is tested is whether two evaluations of one function agree. The weights follow from a seed, so that
the eager model and the compiled file are one model though they are made in two processes.
"""

import json
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

NAMES = ("Li", "P", "S", "Cl")
CUTOFF = 4.5
# Cutoffs of each ordered pair of types; the plugin must know which of both is the centre.
PAIR_CUTOFFS = {"Li": 4.0, "P": {"S": 3.0}}


def network(style):
    """Return the eager model that `pair_style nequip` or `pair_style allegro` will see compiled."""
    import torch
    from nequip.utils.global_state import set_global_state

    torch.set_num_threads(1)
    set_global_state()
    shared = {
        "seed": 7,
        "model_dtype": "float32",
        "type_names": list(NAMES),
        "r_max": CUTOFF,
        "avg_num_neighbors": 20.0,
        "per_type_energy_scales": 1.0,
        "per_type_energy_shifts": {"Li": -1.0, "P": -2.0, "S": -3.0, "Cl": -4.0},
        "l_max": 1,
        "parity": True,
        "pair_potential": {
            "_target_": "nequip.nn.pair_potential.ZBL",
            "units": "metal",
            "chemical_species": list(NAMES),
        },
    }
    if style == "nequip":
        from nequip.model import NequIPGNNModel

        model = NequIPGNNModel(
            num_layers=2,
            num_features=4,
            radial_mlp_depth=1,
            radial_mlp_width=8,
            per_edge_type_cutoff=PAIR_CUTOFFS,
            **shared,
        )
    else:
        from allegro.model import AllegroModel

        model = AllegroModel(
            num_layers=1,
            num_scalar_features=8,
            num_tensor_features=2,
            radial_chemical_embed={"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 8},
            radial_chemical_embed_dim=8,
            scalar_embed_mlp_hidden_layers_depth=1,
            scalar_embed_mlp_hidden_layers_width=8,
            allegro_mlp_hidden_layers_depth=1,
            allegro_mlp_hidden_layers_width=8,
            readout_mlp_hidden_layers_depth=1,
            readout_mlp_hidden_layers_width=8,
            **shared,
        )
    return model.eval()


def transforms(model):
    from nequip.integrations.utils import basic_transforms

    return basic_transforms(model.metadata, CUTOFF, list(NAMES), {name: name for name in NAMES})


def eager_calculator(style):
    """Return nequip's own ASE calculator of the model that was not compiled."""
    from nequip.integrations.ase import NequIPCalculator

    model = network(style)
    return NequIPCalculator(model=model, device="cpu", transforms=transforms(model))


def write_model(style, path):
    """Compile the model as `nequip-compile --target pair_nequip` or ``pair_allegro`` does."""
    import torch
    from ase.build import bulk
    from nequip.data import from_ase
    from nequip.scripts._compile_utils import COMPILE_TARGET_DICT
    from nequip.utils.aot import aot_export_model
    from nequip.utils.global_state import get_latest_global_state

    import_module("allegro._compile")  # registers its target
    model, target = network(style), COMPILE_TARGET_DICT[f"pair_{style}"]
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True).repeat(2)
    atoms.symbols[3], atoms.symbols[8] = "P", "S"
    data = from_ase(atoms)
    for transform in transforms(model):
        data = transform(data)
    metadata = {**model.metadata, **get_latest_global_state(only_metadata_related=True)}
    metadata = {key: str(int(value)) if isinstance(value, bool) else str(value) for key, value in metadata.items()}
    metadata |= {f"nequip_aoti_{kind}s": " ".join(target[kind]) for kind in ("input", "output")}
    sizes = {
        "graph": torch.export.Dim.STATIC,
        "node": torch.export.Dim("num_nodes", min=2, max=torch.inf),
        "edge": torch.export.Dim("num_edges", min=2, max=torch.inf),
    }
    aot_export_model(
        model,
        "cpu",
        target["input"],
        target["output"],
        target["data_settings"](data),
        sizes,
        str(path),
        inductor_configs={"aot_inductor.metadata": metadata},
    )


def write_foreign_model(path):
    """Compile a function of torch that nobody trained: sums, in float32, and no word of nequip."""
    import torch

    class Sums(torch.nn.Module):
        def forward(self, positions, edges, types):
            ones = positions.sum(1, keepdim=True).float() + edges.sum() + types.sum()
            return ones, positions.float(), positions.T.float() @ positions.float()

    example = (
        torch.rand(5, 3, dtype=torch.float64),
        torch.zeros(2, 7, dtype=torch.long),
        torch.zeros(5, dtype=torch.long),
    )
    nodes, edges = torch.export.Dim("nodes", min=2), torch.export.Dim("edges", min=2)
    program = torch.export.export(Sums(), example, dynamic_shapes=({0: nodes}, {1: edges}, {0: nodes}))
    torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def with_metadata(source, path, **changes):
    """Copy a model file with other words about itself; None leaves an entry out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith("metadata.json"):
                words = {**json.loads(content), **changes}
                content = json.dumps({key: value for key, value in words.items() if value is not None}).encode()
            new.writestr(info.filename, content)
    return path


def compile_in_a_process_of_its_own(kind, path):
    """Write a model; the compiler's many settings and warnings stay out of this process."""
    script = (
        "import sys, warnings; warnings.filterwarnings('ignore'); "
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); import compiled_models as m; "
        "kind, path = sys.argv[1:]; m.write_foreign_model(path) if kind == 'foreign' else m.write_model(kind, path)"
    )
    done = subprocess.run([sys.executable, "-c", script, kind, str(path)], capture_output=True, text=True, check=False)
    if not Path(path).is_file():
        raise RuntimeError(f"no model was compiled:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    compile_in_a_process_of_its_own(*sys.argv[1:])
