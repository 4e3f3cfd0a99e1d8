"""From our values to the documents that others read."""

from __future__ import annotations

from octolimb.core.positions import Span
from octolimb.core.proposals import Decision, Proposal
from octolimb.core.verdicts import Finding, Isolation, Verdict
from octolimb.documents.models import (
    CapabilityDocument,
    DecisionDocument,
    DoctorDocument,
    FindingDocument,
    FixDocument,
    HunkDocument,
    IsolationDocument,
    Place,
    ProposalDocument,
    Range,
    ReasonDocument,
    SensorDocument,
    TestsDocument,
    VerdictDocument,
)
from octolimb.engine.fixing import FixResult
from octolimb.engine.health import Health


def verdict_document(verdict: Verdict) -> VerdictDocument:
    tests = verdict.tests
    return VerdictDocument(
        root=verdict.root,
        generation=verdict.generation,
        green=verdict.green,
        regressed=verdict.regressed,
        complete=verdict.complete,
        level=verdict.level,
        isolation=isolation_document(verdict.isolation),
        sensors=[
            SensorDocument(
                name=sensor.name, status=sensor.status, ms=round(sensor.ms, 1), why=sensor.why, hint=sensor.hint
            )
            for sensor in verdict.sensors
        ],
        findings=[_finding(finding) for finding in verdict.findings],
        tests=TestsDocument(
            mode=tests.mode,
            selected=tests.selected,
            passed=tests.passed,
            failed=tests.failed,
            errors=tests.errors,
            skipped=tests.skipped,
            failures=list(tests.failures),
        ),
        ms=round(verdict.ms, 1),
    )


def isolation_document(isolation: Isolation) -> IsolationDocument:
    return IsolationDocument(files=isolation.files, sandbox=isolation.sandbox, network=isolation.network)


def decision_document(decision: Decision) -> DecisionDocument:
    return DecisionDocument(
        decision=decision.decision,
        reasons=[
            ReasonDocument(
                policy=reason.policy,
                path=reason.path,
                range=_range(reason.span) if reason.span else None,
                message=reason.message,
                fix=reason.fix,
            )
            for reason in decision.reasons
        ],
        policies=decision.policies,
    )


def proposal_document(proposal: Proposal) -> ProposalDocument:
    change_set = proposal.change_set
    return ProposalDocument(
        id=proposal.id,
        rank=proposal.rank,
        files=list(change_set.paths),
        diff=change_set.diff,
        hunks=[
            HunkDocument(id=hunk.id, path=hunk.path, range=_range(hunk.span), needs=list(hunk.needs))
            for hunk in change_set.hunks
        ],
        verdict=verdict_document(proposal.verdict),
        decision=decision_document(proposal.decision),
        why=proposal.why,
        coder=proposal.coder,
        attempts=proposal.attempts,
        tokens=proposal.tokens,
        receipt=proposal.receipt.id,
    )


def fix_document(result: FixResult) -> FixDocument:
    return FixDocument(
        status=result.status,
        proposals=[proposal_document(proposal) for proposal in result.proposals],
        seconds=round(result.seconds, 2),
        message=result.message,
        pain=list(result.pain_lines),
        refused=list(result.refused),
        attempts=result.attempts,
        searched=round(result.searched, 3),
    )


def doctor_document(health: Health) -> DoctorDocument:
    return DoctorDocument(
        version=health.version,
        root=health.root,
        trusted=health.trusted,
        python=health.python,
        isolation=isolation_document(health.isolation),
        capabilities=[
            CapabilityDocument(name=capability.name, holds=capability.holds, advice=capability.advice)
            for capability in health.capabilities
        ],
        ready=health.ready,
    )


def _finding(finding: Finding) -> FindingDocument:
    return FindingDocument(
        path=finding.path,
        range=_range(finding.span),
        severity=finding.severity.value,
        source=finding.source,
        code=finding.code,
        message=finding.message,
        new=finding.new,
        test=finding.test,
        detail=finding.detail or None,
    )


def _range(span: Span) -> Range:
    start, end = (Place(line=at.line, character=at.character) for at in (span.start, span.end))
    return Range(start=start, end=end)
