"""How verdicts, decisions and proposals look on a terminal. It only prints."""

from __future__ import annotations

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from octolimb.cli.context import Invocation
from octolimb.core.proposals import Decision, Proposal
from octolimb.core.verdicts import Finding, Severity, Verdict

_MOST_FINDINGS = 20
_STYLE = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFORMATION: "blue", Severity.HINT: "dim"}


def show_verdict(invocation: Invocation, verdict: Verdict) -> None:
    """The findings, worst and new first, then one line that says whether it is green."""
    console = invocation.out
    shown = sorted(verdict.findings, key=lambda finding: (not finding.new, _rank(finding.severity), finding.path))
    for finding in shown[:_MOST_FINDINGS]:
        console.print(_finding_line(finding), soft_wrap=True)
    if len(shown) > _MOST_FINDINGS:
        console.print(f"… and {len(shown) - _MOST_FINDINGS} more (--json lists them all)", style="dim")
    for sensor in verdict.sensors:
        if sensor.status == "crashed":
            said = f"{sensor.name} could not run: {sensor.why}" + (f" ({sensor.hint})" if sensor.hint else "")
            console.print(Text(said, style="bold red"), soft_wrap=True)
        elif sensor.why:
            console.print(Text(f"{sensor.name}: {sensor.why}", style="dim"), soft_wrap=True)
    console.print(verdict_line(verdict), soft_wrap=True)


def verdict_line(verdict: Verdict) -> Text:
    """`green` or `pain`, with what was run, how deep and how isolated."""
    tests = verdict.tests
    counted = [
        f"{count} {name}"
        for count, name in (
            (tests.passed, "passed"),
            (tests.failed, "failed"),
            (tests.errors, "broken"),
            (tests.skipped, "skipped"),
        )
        if count
    ]
    ran = f"{tests.mode} tests: {', '.join(counted) or 'none found'}" if tests.mode != "none" else "tests not run"
    isolation = verdict.isolation
    holds = f"{isolation.files}, sandbox {isolation.sandbox}, network {'off' if isolation.network else 'open'}"
    word, style = ("green", "bold green") if verdict.green else ("pain", "bold red")
    if not verdict.green and not verdict.pains and not verdict.complete:
        word = "not sensed in full"
    if verdict.regressed and any(not finding.new for finding in verdict.findings):
        word += ", worse than before"
    return Text.assemble((word, style), f"  {ran}  ({verdict.level}; {holds}; {verdict.ms / 1000:.1f} s)")


def show_decision(console: Console, decision: Decision) -> None:
    word, style = {
        "allow": ("allowed", "green"),
        "ask": ("asks for a person's yes", "yellow"),
        "deny": ("denied", "bold red"),
    }[decision.decision]
    console.print(Text.assemble("guard     ", (word, style)), soft_wrap=True)
    for reason in decision.reasons:
        fix = f"  It passes when: {reason.fix}" if reason.fix else ""
        console.print(Text(f"          {reason.policy}: {reason.message}{fix}"), soft_wrap=True)


def show_proposal(invocation: Invocation, proposal: Proposal, *, of: int) -> None:
    """Rank and reason, the diff in colour, the verdict and the decision."""
    console = invocation.out
    title = f"proposal {proposal.rank} of {of}" if of > 1 else "proposal"
    console.print(Text.assemble((title, "bold"), f"  {proposal.why}"), soft_wrap=True)
    if console.is_terminal:
        console.print(
            Syntax(proposal.change_set.diff.rstrip("\n"), "diff", theme="ansi_dark", background_color="default")
        )
    else:
        console.print(Text(proposal.change_set.diff.rstrip("\n")), soft_wrap=True)
    console.print(Text("verdict   ").append_text(verdict_line(proposal.verdict)), soft_wrap=True)
    show_decision(console, proposal.decision)


def _finding_line(finding: Finding) -> Text:
    line, column = finding.span.start.line + 1, finding.span.start.character + 1
    style = _STYLE[finding.severity]
    age = "" if finding.new else " (not new)"
    where = finding.test or f"{finding.path}:{line}:{column}"
    return Text.assemble(
        (where, "bold"),
        "  ",
        (finding.severity.value, style),
        f"  {finding.message}  [{finding.source} {finding.code}]{age}",
    )


def _rank(severity: Severity) -> int:
    return list(Severity).index(severity)
