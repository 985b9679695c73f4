"""Every network with parameters so small that tests can run it."""

import pytest

SMALL = {
    "aim": [
        {"n_modules": 2, "n_feats": 4},
        {"n_modules": 1, "n_feats": 4, "attention": False},
        {"n_modules": 2, "n_feats": 4, "attention": False},
        {"n_modules": 2, "n_feats": 4, "attention": False, "inception": False},
    ],
    "arcnn": [{}, {"n_colours": 1}, {"fast": True}],
    "compact": [{"scale": s, "n_feats": 4, "n_blocks": s} for s in (1, 2, 3, 4)],
    "csnln": [{"scale": s, "n_feats": 4, "depth": 2} for s in (2, 3, 4)],
    "dncnn": [
        {"n_feats": 4, "n_layers": 4},
        {"n_colours": 3, "n_feats": 4, "n_layers": 5, "batch_norm": True},
    ],
    "edsr": [{"scale": s, "n_feats": 4, "n_blocks": s} for s in (2, 3, 4)],
    "espcn": [{"scale": s, "n_feats": (6, 4)} for s in (2, 3, 4)]
    + [{"scale": 2, "n_colours": 3, "n_feats": (6, 4)}],
    "fdncnn": [{"n_feats": 4, "n_layers": 4}, {"n_colours": 3, "n_feats": 4, "n_layers": 3}],
    "ffdnet": [{"n_feats": 4, "n_layers": 4}, {"n_colours": 3, "n_feats": 4, "n_layers": 3}],
    "fsrcnn": [{"scale": s, "n_feats": 6, "n_shrunk": 4, "n_mappings": s - 1} for s in (2, 3, 4)],
    "ircnn": [{"n_feats": 4}, {"n_colours": 3, "n_feats": 4}],
    "mdsr": [{"scale": s, "n_feats": 4, "n_blocks": s} for s in (2, 3, 4)],
    "memnet": [{"n_feats": 4, "n_blocks": 2, "n_units": 1}, {"n_feats": 4, "n_blocks": 1, "n_units": 3}],
    "mimo_unet": [{"n_res": 1, "n_feats": 4}, {"n_res": 2, "n_feats": 4}],
    "msrresnet": [{"scale": s, "n_feats": 4, "n_blocks": s % 3} for s in (2, 3, 4)],
    "pan": [{"scale": s, "n_feats": 6, "n_blocks": s - 1, "n_narrow": 4} for s in (2, 3, 4)],
    "rcan": [{"scale": s, "n_groups": 2, "n_blocks": 1, "n_feats": 8, "reduction": 4} for s in (2, 3, 8)],
    "rlfn": [
        {"scale": 2, "n_feats": 4, "n_blocks": 1, "n_attention": 3},
        {"scale": 4, "n_feats": 4, "n_mid": 5, "n_blocks": 2, "n_attention": 3},
    ],
    "rnan": [
        {"n_colours": 1, "n_groups": 3, "n_feats": 4},
        {"n_groups": 2, "n_feats": 4},
        {"scale": 3, "n_groups": 3, "n_feats": 4},
    ],
    "san": [{"scale": s, "n_groups": 2, "n_blocks": 1, "n_feats": 8, "reduction": 4} for s in (2, 3)],
    "smfanet": [{"scale": s, "n_feats": 6, "n_blocks": 2} for s in (2, 4)],
    "span": [
        {"scale": 2, "n_feats": 4, "n_blocks": 2},
        {"scale": 4, "n_feats": 4, "n_blocks": 1, "norm": False},
    ],
    "srcnn": [
        {"n_feats": (6, 4)},
        {"n_colours": 3, "kernels": (5, 1, 3), "n_feats": (6, 4)},
    ],
    "srgan": [{"scale": s, "n_feats": 4, "n_blocks": 1} for s in (2, 4, 8)],
    "srresnet": [{"n_feats": 4, "n_blocks": 2}],
    "unet": [
        {"n_feats": 4, "n_blocks": 1},
        {"n_colours": 1, "n_feats": 4, "n_blocks": 2, "condition": "quality"},
    ],
    "vdsr": [{"n_feats": 4, "n_layers": 4}, {"n_colours": 3, "n_feats": 4, "n_layers": 3}],
}
CONFIGURATIONS = [
    pytest.param(name, parameters, id=f"{name}-{i}")
    for name, several in SMALL.items()
    for i, parameters in enumerate(several)
]
