"""The parameters of lists that are searched by accuracy."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from trtfarm.accuracy import AccuracyFilter

_Top1 = Annotated[float | None, Query(ge=0, le=1, description="Top-1 of the lower precision is at least this share.")]
_Cosine = Annotated[float | None, Query(ge=-1, le=1, description="No output agrees less with FP32, on the mean.")]
_Drop = Annotated[float | None, Query(ge=-1, le=1, description="No more accuracy was lost than this share.")]


def _accuracy(min_top1: _Top1 = None, min_cosine: _Cosine = None, max_drop: _Drop = None) -> AccuracyFilter:
    return AccuracyFilter(min_top1=min_top1, min_cosine=min_cosine, max_drop=max_drop)


ByAccuracy = Annotated[AccuracyFilter, Depends(_accuracy)]
