"""The rule `protected-paths`: nothing hostile through, nothing honest blocked."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from octolimb.core.changes import ChangeSet
from octolimb.core.document import Document
from octolimb.core.errors import BadPath
from octolimb.core.paths import RelPath
from octolimb.guard.protected import Disk, judge_paths, protection_of

Edit = Callable[..., ChangeSet]


def outcome_of(change_set: ChangeSet, root: Path | None = None) -> str:
    outcomes = {ruling.outcome for ruling in judge_paths(change_set, Disk(root) if root else None)}
    return "deny" if "deny" in outcomes else "ask" if "ask" in outcomes else "allow"


def outcome_of_spelling(spelling: str, edit: Edit, root: Path | None = None) -> str:
    """What becomes of a change to a path that somebody typed; a path that cannot even be said is refused."""
    try:
        path = RelPath(spelling)
    except BadPath:
        return "refused"
    return outcome_of(edit(path, None, "x\n"), root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with policies, a decoy and links of every kind into them."""
    root = tmp_path / "repo"
    (root / ".intent/rules").mkdir(parents=True)
    (root / ".intent/rules/a.toml").write_text("x")
    (root / ".git").mkdir()
    (root / ".git/config").write_text("x")
    (root / "src").mkdir()
    (root / "src/app.py").write_text("x")
    (root / "door").symlink_to(".intent")
    (root / "file_door").symlink_to(".intent/rules/a.toml")
    (root / "src/out").symlink_to("/etc")
    (root / "src/up").symlink_to("../..")
    (root / "twin.toml").hardlink_to(root / ".intent/rules/a.toml")
    (root / "src/twin").hardlink_to(root / ".git/config")
    (root / "alias").symlink_to("src")
    return root


HOSTILE = [
    ".intent/rules/a.toml",
    "./.intent/rules/a.toml",
    "a/../.intent/rules/a.toml",
    ".intent/../.intent/rules/a.toml",
    ".INTENT/rules/a.toml",
    ".\u0456ntent/rules/a.toml",
    "\uff0eintent/rules/a.toml",
    "door/rules/a.toml",
    "file_door",
    "twin.toml",
    ".intent./rules/a.toml",
    ".intent\\rules\\a.toml",
    "/repo/.intent/rules/a.toml",
    "../repo/.intent/rules/a.toml",
    "src/twin",
    "src/out/passwd",
    "src/up/anything",
    "alias/out/x",
    "alias/twin",
]


@pytest.mark.parametrize("spelling", HOSTILE)
def test_no_hostile_spelling_passes(spelling: str, edit: Edit, root: Path) -> None:
    assert outcome_of_spelling(spelling, edit, root) in ("deny", "refused")


def hostile_spellings() -> list[str]:
    """Some four hundred disguises of protected paths, composed of five kinds of trick."""
    look_alikes = {
        "i": "\u0456\u0131\uff49\u2170",
        "t": "\uff54\u03c4",
        "e": "\u0435\uff45",
        "n": "\uff4e\u0578",
        "g": "\u0261\uff47",
    }
    invisible = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\ufe0f", "\U000e0020", "\u180b"]
    tails = ["", ".", "..", " ", ". .", "::$INDEX_ALLOCATION", ":stream", "\u00a0", "\u3000"]
    heads = ["", "sub/", "a/b/", "./", "vendor//"]
    found: set[str] = set()
    source = random.Random(20)
    for name, head, tail in itertools.product((".intent", ".git"), heads, tails):
        found.add(f"{head}{name}{tail}/config")
    for name in (".intent", ".git"):
        for position, character in enumerate(name):
            for other in look_alikes.get(character, ""):
                found.add(f"{name[:position]}{other}{name[position + 1 :]}/x")
            found.update(f"{name[:position]}{nothing}{name[position:]}/x" for nothing in invisible)
            found.add(f"{name[:position]}{character.upper()}{name[position + 1 :]}/x")
        for _ in range(80):
            disguised = "".join(
                source.choice([character, character.upper(), *look_alikes.get(character, "")])
                + (source.choice(invisible) if source.random() < 0.2 else "")
                for character in name
            )
            found.add(f"{source.choice(heads)}{disguised}{source.choice(tails)}/x")
    for dot, slash in itertools.product("\uff0e\u2024\u3002\ufe52", "/\uff0f\uff3c"):
        found.update((f"{dot}git{slash}hooks/pre-commit", f"src/{dot}intent{slash}a.toml"))
    found.update(("git~1/config", "GIT~1/hooks/x", "intent~1/a.toml"))
    return sorted(found)


def test_generated_hostile_spellings(edit: Edit) -> None:
    spellings = hostile_spellings()
    through = [spelling for spelling in spellings if outcome_of_spelling(spelling, edit) not in ("deny", "refused")]
    assert len(spellings) >= 300
    assert [ascii(spelling) for spelling in through] == []


def honest_names() -> list[str]:
    stems = [
        *("intent", "git", "gitlab", "intents", "intention", "digit", "legit", "github", "gitignore", "gist", "main"),
        *("dotgit", "my.intent", "x.git.py", "intent_parser", "git_tools", "0git", "gît_notes", "привет", "日本語"),
    ]
    folders = [
        "",
        "src/",
        "src/intent/",
        "docs/git/",
        "a/b/c/",
        "intent/",
        "git/",
        "lib/gitlab/",
        "packages/x.intent/",
        "a b/",
        "x-git/",
        "данные/",
        "tests/intent/",
        "web/static/git/",
        ".config/",
        "très/long/",
    ]
    names = [f"{folder}{stem}.py" for folder in folders for stem in stems]
    names += [".gitignore", ".gitkeep", "sub/.gitignore", ".github.py", "README.md", ".intention", ".intent.md"]
    names += [".gitlab", "src/.gitx/y", "a b/c d.txt", "docs/notes...md", "…/x.py", "src/Makefile.py", "x.pth.txt"]
    return names


def test_honest_names_pass(edit: Edit) -> None:
    names = honest_names()
    blocked = [name for name in names if outcome_of_spelling(name, edit) != "allow"]
    assert len(names) >= 300
    assert blocked == []


@pytest.mark.parametrize(
    "path",
    [
        *("conftest.py", "tests/conftest.py", "pytest.ini", "tox.ini", "pyproject.toml", "setup.cfg", "setup.py"),
        *(
            "lib/evil.pth",
            "sitecustomize.py",
            "src/usercustomize.py",
            ".vscode/settings.json",
            ".github/workflows/ci.yml",
        ),
        *(
            ".envrc",
            "Makefile",
            "sub/makefile",
            "GNUmakefile",
            ".pre-commit-config.yaml",
            "Dockerfile",
            "Dockerfile.dev",
        ),
        *(".gitmodules", ".gitattributes", ".gitlab-ci.yml", ".ci/run", ".husky/pre-commit", "package.json"),
        *("CONFTEST.PY", "\uff43onftest.py", "Jenkinsfile", ".venv/bin/python", "noxfile.py"),
    ],
)
def test_what_runs_code_later_asks(path: str, edit: Edit) -> None:
    assert outcome_of(edit(path, None, "x\n")) == "ask"


def test_both_ends_of_a_rename_count(edit: Edit) -> None:
    assert outcome_of(edit("a.txt", "x", "x", moved_from=".git/config")) == "deny"
    assert outcome_of(edit(".git/config", "x", "x", moved_from="a.txt")) == "deny"


def test_a_deletion_counts(edit: Edit) -> None:
    assert outcome_of(edit(".intent/a.toml", "x", None)) == "deny"


def test_a_link_into_a_protected_place_may_be_deleted(edit: Edit, root: Path) -> None:
    old = Document(RelPath("file_door"), b".intent/rules/a.toml", 0o777, link=True)
    assert outcome_of(edit("file_door", old, None), root) == "allow"


def test_a_directory_link_inside_is_followed_to_honest_places(edit: Edit, root: Path) -> None:
    assert outcome_of(edit("alias/app.py", "x", "y"), root) == "allow"


@pytest.mark.parametrize(
    ("place", "target", "expected"),
    [
        ("latest", "src/app.py", "allow"),
        ("src/a/b", "../app.py", "allow"),
        ("src/link", "..", "allow"),
        ("out", "/etc/passwd", "deny"),
        ("out", "../x", "deny"),
        ("src/out2", "../../x", "deny"),
        ("out", "src/../../x", "deny"),
        ("out", "src/..", "deny"),
        ("door2", ".intent", "deny"),
        ("door2", ".GIT/config", "deny"),
        ("door2", "door/rules", "deny"),
        ("out3", "src/out/passwd", "deny"),
        ("hook", "conftest.py", "ask"),
        ("loop", "loop", "allow"),
    ],
)
def test_new_symbolic_links(place: str, target: str, expected: str, edit: Edit, root: Path) -> None:
    link = Document(RelPath(place), target.encode(), 0o777, link=True)
    assert outcome_of(edit(place, None, link), root) == expected


@pytest.mark.parametrize(("before", "after", "expected"), [
    (0o755, 0o4755, "deny"), (0o755, 0o2755, "deny"), (0o4755, 0o4755, "allow"), (0o644, 0o755, "allow"),
])  # fmt: skip
def test_modes(before: int, after: int, expected: str, edit: Edit) -> None:
    path = RelPath("tool")
    assert outcome_of(edit("tool", Document(path, b"a", before), Document(path, b"b", after))) == expected


def test_a_hard_link_between_honest_files_passes(edit: Edit, root: Path) -> None:
    os.link(root / "src/app.py", root / "src/app2.py")
    assert outcome_of(edit("src/app2.py", "x", "y"), root) == "allow"


def test_a_submodule_is_protected_too() -> None:
    assert protection_of("vendor/lib/.git/hooks/post-checkout") == ("deny", "it belongs to git's own records")


def test_a_git_file_of_a_worktree_is_protected() -> None:
    assert protection_of("sub/.git") is not None
