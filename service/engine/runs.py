"""A stream under one model: its slot, which of its frames are taken, how its raw scores go on."""

from __future__ import annotations

from model.chain import Chain
from service.engine.intake import Intake
from service.engine.slots import Slot
from service.plan import Plan


class Run:
    """A stream under one plan's model: slot, intake and chain. Under another model it begins anew.

    Attributes:
        last: score of the last full window; None: there was none yet.
    """

    def __init__(self, plan: Plan) -> None:
        config = plan.model.detector.config
        self.plan = plan
        self.slot = Slot(plan.model, plan.region)
        self.intake = Intake(config.frame_interval, plan.max_rate)
        self.chain = Chain(config, plan.theta, smoothing=plan.smoothing, minimum=plan.minimum)
        self.last: float | None = None

    def fits(self, plan: Plan) -> bool:
        """Whether it can go on under another plan."""
        return plan.model is self.plan.model and plan.repair == self.plan.repair

    def adjust(self, plan: Plan) -> None:
        """Goes on under another plan; the slot's region is for the owner of the bank to change."""
        self.plan = plan
        self.intake.max_rate = plan.max_rate
        self.chain.adjust(theta=plan.theta, smoothing=plan.smoothing, minimum=plan.minimum)
