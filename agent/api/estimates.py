"""Will it fit, how fast, and what should change."""

from __future__ import annotations

from fastapi import APIRouter, Request

from ..models import EstimateReply, EstimateRequest, FitReply, FitRequest
from .agent import Parts
from .disconnect import while_connected
from .errors import replies

router = APIRouter(prefix="/v1", tags=["estimates"])


@router.post("/estimate", responses=replies(404, 408))
async def estimate(request: EstimateRequest, http: Request, parts: Parts) -> EstimateReply:
    """Memory of a spec by arithmetic, and single changes worth making."""
    return await while_connected(http, parts.estimator.quick(request))


@router.post("/estimate/exact", responses=replies(404, 408))
async def exact_estimate(request: EstimateRequest, http: Request, parts: Parts) -> EstimateReply:
    """Memory by the real model under fake tensors, in a worker: seconds, and no GPU needed.

    Closing the connection ends the worker.
    """
    return await while_connected(http, parts.estimator.exact(request))


@router.post("/fit", responses=replies(404, 408))
async def fit(request: FitRequest, http: Request, parts: Parts) -> FitReply:
    """The fastest settings that fit, without changing what is learnt; each change with a reason.

    When nothing fits: what takes the least, and the nearest things that would fit.
    """
    return await while_connected(http, parts.estimator.fit(request))
