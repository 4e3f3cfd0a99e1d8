"""From our values to the documents that others read."""

from __future__ import annotations

from octolimb.core.errors import OctolimbError
from octolimb.core.positions import Span
from octolimb.core.proposals import Decision, Proposal
from octolimb.core.verdicts import Finding, Isolation, Verdict
from octolimb.documents.models import (
    DecisionDocument,
    ErrorBody,
    ErrorDocument,
    FindingDocument,
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


def error_document(error: OctolimbError) -> ErrorDocument:
    body = ErrorBody(code=error.code, message=error.message, hint=error.hint, path=error.path)
    return ErrorDocument(error=body)


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
            SensorDocument(name=sensor.name, status=sensor.status, ms=round(sensor.ms, 1), why=sensor.why)
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
