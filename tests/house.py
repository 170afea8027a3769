"""The house rules that no linter knows, each as a function from a tree to its violations.

A rule takes the root of a checkout and returns one sentence per violation, so that
`test_house.py` can ask the real tree and a planted one the same. Never imports the program.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path

PACKAGES = ("adapters", "bot", "policies")
LINES_MAX = 400
LINES_WISHED = 300
TOP_LEVEL = {
    "CHANGELOG.md",
    "Dockerfile",
    "Makefile",
    "README.md",
    "adapters",
    "bot",
    "dev.lock",
    "policies",
    "pyproject.toml",
    "run.lock",
    "sbom.lock",
    "tests",
}
MADE_BY_TOOLS = {"__pycache__", "build", "cancelall.egg-info"}
# Where a bug in one of many (a part, target, count, request, answer) must not stop the rest.
BROAD_EXCEPTS = {
    ("bot/background.py", "supervise"),
    ("bot/checks/slate.py", "guarded"),
    ("bot/flow/execute.py", "run_target"),
    ("bot/flow/preview.py", "_into"),
    ("bot/flow/tick.py", "_guarded"),
    ("bot/keys/vault_session.py", "_guarded"),
    ("bot/health.py", "_asked"),
    ("bot/slack/listeners.py", "_guarded"),
    ("bot/store/seen.py", "see"),
}
SECRET_SITES = (
    *("adapters/signing.py", "adapters/signing_evm.py"),
    *("bot/app.py", "bot/check.py", "bot/front.py", "bot/keys/"),
)
ENVIRONMENT_SITES = ("bot/config.py",)
# fmt: off
FORBIDDEN_WORDS = {
    "base", "common", "data", "handle", "helper", "info",
    "item", "manager", "perform", "process", "success", "util",
}
# fmt: on
AGREED_NAMES = {"base_url"}  # The plan's digest covers a venue's base URL, by that name.
BARE_TASKS = {"create_task", "ensure_future", "gather"}
# Spelt in two pieces, so that the rules do not find themselves.
INDEX_OPTIONS = ("--index" + "-url", "--extra-index" + "-url", "--find" + "-links")
OUTSIDE = (
    "../" + "shared",
    "." + "library",
    "pypi" + ".org",
    "python" + "hosted.org",
    *INDEX_OPTIONS,
)
ASSERTING = {"assert", "expect", "fail", "raises", "refute", "warns"}


def python_files(root: Path, *folders: str) -> Iterator[tuple[str, Path]]:
    """Yield `(path relative to root, path)` of each Python file below the folders."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path


def trees(root: Path, *folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield `(relative path, syntax tree)` of each Python file below the folders."""
    for name, path in python_files(root, *folders):
        yield name, _parsed(path.read_text(encoding="utf-8"), name)


@cache
def _parsed(text: str, name: str) -> ast.Module:
    """Parse once for all rules."""
    return ast.parse(text, filename=name)


def _nodes(tree: ast.Module) -> Iterator[tuple[int, ast.AST]]:
    for node in ast.walk(tree):
        yield getattr(node, "lineno", 0), node


def lock_with_host(root: Path) -> list[str]:
    """A lock names no host: each user's own index and mirrors apply."""
    return [
        f"{lock.name}:{number}: {line.strip()}"
        for lock in sorted(root.glob("*.lock"))
        for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), start=1)
        if any(sign in line for sign in ("://", *INDEX_OPTIONS))
    ]


def lock_apart(root: Path) -> list[str]:
    """What ships is what was tested: every pin of run.lock stands in dev.lock with its hashes."""
    run, dev = (_pins(root / name) for name in ("run.lock", "dev.lock"))
    return [
        f"{name} {version} ships, {dev.get(name, 'nothing')} is tested"
        for name, version in run.items()
        if dev.get(name) != version
    ]


def lock_of_clients(root: Path) -> list[str]:
    """What drives our simulators and our page in tests, as a venue's own client, never ships."""
    shipped = _pins(root / "run.lock").keys()
    return [
        f"run.lock ships {name}"
        for name in ("ccxt", "playwright", "pybit", "solders", "synthetix-sdk")
        if name in shipped
    ]


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", lock.read_text(), re.MULTILINE))


def init_with_code(root: Path) -> list[str]:
    """Every `__init__.py` is empty: importing a package does nothing."""
    return [
        f"{name} is not empty"
        for name, path in python_files(root, *PACKAGES, "tests")
        if path.name == "__init__.py" and path.stat().st_size
    ]


def module_too_long(root: Path, *, lines_max: int = LINES_MAX) -> list[str]:
    """A module is one idea; beyond `LINES_MAX` lines it is two."""
    return [
        f"{name}: {count} lines"
        for name, path in python_files(root, *PACKAGES)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > lines_max
    ]


def broad_except(root: Path) -> list[str]:
    """Two places may catch what they do not know: where a target and where a part is fenced in."""
    return [
        f"{name}:{handler.lineno}: broad except in {where or 'the module'}"
        for name, tree in trees(root, *PACKAGES)
        for where, handler in _handlers(tree, where="")
        if _is_broad(handler.type) and (name, where) not in BROAD_EXCEPTS
    ]


def _handlers(node: ast.AST, *, where: str) -> Iterator[tuple[str, ast.ExceptHandler]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler):
            yield where, child
        inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else where
        yield from _handlers(child, where=inside)


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(each) for each in caught.elts)
    return caught is None or _last_name(caught) in {"Exception", "BaseException"}


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def secret_opened(root: Path) -> list[str]:
    """`get_secret_value` appears only between the key source and the signer."""
    return [
        f"{name}:{line}: get_secret_value"
        for name, tree in trees(root, *PACKAGES)
        if not name.startswith(SECRET_SITES)
        for line, node in _nodes(tree)
        if isinstance(node, ast.Attribute | ast.Name) and _last_name(node) == "get_secret_value"
    ]


def environment_read(root: Path) -> list[str]:
    """Only `bot/config.py` reads the environment."""
    return [
        f"{name}:{line}: reads the environment"
        for name, tree in trees(root, *PACKAGES)
        if not name.startswith(ENVIRONMENT_SITES)
        for line, node in _nodes(tree)
        if _names(node) & {"environ", "environb", "getenv", "getenvb"}
    ]


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {alias.name for alias in node.names}
    return {_last_name(node)}


def bare_task(root: Path) -> list[str]:
    """Every task has an owner: `asyncio.TaskGroup` and nothing else starts one."""
    return [
        f"{name}:{line}: {bare}"
        for name, tree in trees(root, *PACKAGES, "tests")
        for line, node in _nodes(tree)
        if (bare := _bare_task(node))
    ]


def _bare_task(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute) and node.attr in BARE_TASKS:
        owner = _last_name(node.value)
        # A TaskGroup's own method is the one way; `loop.create_task` is a bare task too.
        return f"{owner}.{node.attr}" if owner == "asyncio" or "loop" in owner else None
    if isinstance(node, ast.ImportFrom) and node.module == "asyncio":
        return next((f"asyncio.{name}" for name in sorted(_names(node) & BARE_TASKS)), None)
    return None


def top_level(root: Path) -> list[str]:
    """The top level holds what was agreed, dotfiles, and what tools leave."""
    present = {path.name for path in root.iterdir() if not path.name.startswith(".")}
    extra = sorted(present - TOP_LEVEL - MADE_BY_TOOLS)
    missing = sorted(TOP_LEVEL - present)
    return [f"{name} is not agreed" for name in extra] + [f"{name} is missing" for name in missing]


def forbidden_word(root: Path) -> list[str]:
    """Words that say nothing are not in the names we choose."""
    return sorted(
        {
            f"{name}:{line}: {identifier}"
            for name, tree in trees(root, *PACKAGES)
            for line, identifier in [(0, Path(name).stem), *_chosen_names(tree)]
            if identifier not in AGREED_NAMES and _words(identifier) & FORBIDDEN_WORDS
        }
    )


def _chosen_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for _, node in _nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str(chosen)):
                yield node.lineno, chosen
            case _:
                pass


def _words(identifier: str) -> set[str]:
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", identifier)
    lowered = {part.lower() for part in parts}
    return lowered | {word.removesuffix("s") for word in lowered}


def outside_named(root: Path) -> list[str]:
    """The tree names neither the machine it was written on nor a package index."""
    files = [path for path in root.iterdir() if path.is_file() and path.name != ".git"]
    for folder in (*PACKAGES, "tests", ".ci"):
        files += [path for path in (root / folder).rglob("*") if path.is_file()]
    return [
        f"{path.relative_to(root).as_posix()} names {outside}"
        for path in sorted(files)
        if path.suffix not in {".pyc", ".png", ".db"} and not path.name.startswith(".coverage")
        for outside in OUTSIDE
        if outside in path.read_text(encoding="utf-8", errors="replace")
    ]


def error_code_twice(root: Path) -> list[str]:
    """Each kind of error has a code of its own, over the three trees of errors."""
    first: dict[str, str] = {}
    found = []
    for name, tree in trees(root, *PACKAGES):
        for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            code, where = _class_code(kind), f"{name}: {kind.name}"
            if code is None:
                continue
            if code in first:
                found.append(f'{where} has the code "{code}" of {first[code]}')
            first.setdefault(code, where)
    return found


def _class_code(node: ast.ClassDef) -> str | None:
    """Return the `code` that a class states, bare or as a dataclass field's default."""
    for statement in node.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code)))
                | ast.AnnAssign(
                    target=ast.Name(id="code"),
                    value=ast.Constant(value=str(code))
                    | ast.Call(
                        keywords=[
                            ast.keyword(arg="default", value=ast.Constant(value=str(code))),
                            *_,
                        ]
                    ),
                )
            ):
                return code
            case _:
                pass
    return None


def config_key_untold(root: Path) -> list[str]:
    """Every key of the config stands in the README's example, if only after a `#`."""
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    shown = "\n".join(re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    return [
        f"{name}: {node.name}.{key} is not in the README"
        for name, tree in trees(root, *PACKAGES)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and _is_config(name, node.name)
        for key in _keys(node)
        if not re.search(rf"(?:^|[\s#{{\[]){key}(?: =|\])", shown, re.MULTILINE)
    ]


def _is_config(name: str, class_name: str) -> bool:
    if name == "bot/config_file.py":
        return class_name.endswith("Part") or class_name in {"File", "SecretAt"}
    return name.startswith("adapters/") and class_name.endswith("Settings")


def _keys(node: ast.ClassDef) -> list[str]:
    return [
        statement.target.id
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    ]


def patched_test(root: Path) -> list[str]:
    """Fakes are written by hand; a test patches nothing of ours."""
    return [
        f"{name}:{line}: {patch}"
        for name, tree in trees(root, "tests")
        for line, node in _nodes(tree)
        if (patch := _patch(node))
    ]


def _patch(node: ast.AST) -> str | None:
    match node:
        case ast.ImportFrom(module="unittest.mock") | ast.ImportFrom(module="mock"):
            return "unittest.mock"
        case ast.ImportFrom(module="unittest", names=names) if "mock" in {n.name for n in names}:
            return "unittest.mock"
        case ast.Import(names=names) if {"unittest.mock", "mock"} & {n.name for n in names}:
            return "unittest.mock"
        case ast.Attribute(
            value=ast.Name(id="monkeypatch"), attr="setattr" | "setitem" | "delattr"
        ):
            return f"monkeypatch.{node.attr}"
        case _:
            return None


def toothless_test(root: Path) -> list[str]:
    """A test that asserts nothing cannot fail for the reason in its name."""
    found = []
    for name, tree in trees(root, "tests"):
        functions = [
            n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        helping = {each.name for each in functions if _asserts(each, frozenset())}
        found += [
            f"{name}:{each.lineno}: {each.name} asserts nothing"
            for each in functions
            if Path(name).name.startswith("test_")
            if each.name.startswith("test_") and not _asserts(each, helping)
        ]
    return found


def _asserts(test: ast.FunctionDef | ast.AsyncFunctionDef, helping: Set[str]) -> bool:
    """Tell whether a test asserts: itself, or in a function of its file that it calls."""
    return any(
        isinstance(node, ast.Assert)
        or (
            isinstance(node, ast.Call)
            and (_last_name(node.func) in helping or _words(_last_name(node.func)) & ASSERTING)
        )
        for node in ast.walk(test)
    )
