#!/usr/bin/env python3
"""Weight files for tests/weight_files.rs, written with torch 2.15.0 on Python 3.11: `python make_pth.py` in this folder.

`dictionary.pth` is a state dictionary with every kind of tensor that such files hold; `checkpoint.pth` is a training checkpoint
with a state dictionary inside, `model_state_dict.pth` and `network_weights.pth` are such with other names for it; `arrays.pth`
holds arrays of numpy; `integers.pth` has a weight of integers; `code.pth` is an archive whose pickle would make the folder
`was-run` if it were run; `class.pth` holds an object instead of a dictionary.
"""

import os
import pickle
import zipfile
from collections import OrderedDict

import torch


def values(*shape):
    count = torch.Size(shape).numel()
    return (torch.arange(count, dtype=torch.float32) / 4 - 1).reshape(shape)


storage = values(12)
dictionary = OrderedDict(
    single=values(2, 3),
    double=values(3).double(),
    half=values(2, 2).half(),
    bfloat=values(4).bfloat16(),
    transposed=values(2, 3).t(),
    view=storage[2:10:2],
    rest=storage[5:],
    scalar=torch.tensor(0.5),
    parameter=torch.nn.Parameter(values(2)),
    empty=values(0),
)
dictionary["bn.num_batches_tracked"] = torch.tensor(7)
torch.save(dictionary, "dictionary.pth")
torch.save({"state_dict": OrderedDict(single=values(2, 3)), "epoch": 3, "rate": 0.1, "best": None, "log": [1, 2.5]}, "checkpoint.pth")
torch.save({"epoch": 3, "model_state_dict": OrderedDict(single=values(2, 3)), "optimizer_state_dict": {"state": {}}}, "model_state_dict.pth")
torch.save({"network_weights": OrderedDict(single=values(2, 3)), "init_args": {"fold": 0}, "_best_ema": 0.5}, "network_weights.pth")
torch.save({"weight": values(2, 3).numpy()}, "arrays.pth")
torch.save(OrderedDict(weight=torch.arange(4)), "integers.pth")
torch.save(torch.nn.Linear(2, 1), "class.pth")


class Code:
    def __reduce__(self):
        return os.mkdir, ("was-run",)


with zipfile.ZipFile("code.pth", "w") as archive:
    archive.writestr("archive/data.pkl", pickle.dumps(OrderedDict(weight=Code()), protocol=2))
