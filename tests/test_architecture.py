"""The house in order: what must not exist, read from the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "streamwatch"
MODULES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(ROOT)) for path in MODULES]

FORBIDDEN_MODULES = {"utils", "util", "helpers", "common", "misc", "base", "core"}
FORBIDDEN_CLASS_ENDS = (
    "Manager", "Handler", "Helper", "Processor", "Controller", "Util", "Base", "Mixin", "Impl",
)  # fmt: skip
TOP_LEVEL = {
    "streamwatch",
    "deploy",
    "rules",
    "tests",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "NOTICE",
    "CHANGELOG.md",
}
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6
ROOT_CLASSES = {"object", "Protocol", "Exception", "BaseModel", "nn.Module", "Generic", "Enum", "StrEnum", "NamedTuple"}

IMPURE = {
    "time", "threading", "socket", "subprocess", "asyncio", "av", "onnxruntime", "paho", "sqlite3", "random", "os",
}  # fmt: skip
PURE = [
    "video/window.py",
    "video/backoff.py",
    "video/clock.py",
    "video/missed.py",
    "video/scenery.py",
    "video/sight.py",
    "video/standstill.py",
    "video/quantizer.py",
    "video/stillness.py",
    "activity.py",
    "models/calibration.py",
    "models/window.py",
    "models/zone.py",
    *sorted(str(p.relative_to(PACKAGE)) for p in (PACKAGE / "rules").glob("*.py") if p.stem not in {"loading"}),
]
LAYERS = {"video", "models", "rules", "sinks"}
ABOVE = {"pipeline", "assembly", "cli", "cluster", "demo", "training", "evidence", "bench"}
# Libraries that only some installations have, and where alone they may be imported.
CONFINED = {
    "ray": {"cluster/actors.py", "cluster/engine.py", "cluster/fleet.py"},
    "sqlalchemy": {"sinks/postgres.py", "sinks/session.py", "sinks/tables.py", "sinks/migrations/versions/outbox.py"},
    "alembic": {"sinks/session.py", "sinks/migrations/env.py", "sinks/migrations/versions/outbox.py"},
}
BOTTOM = {"activity", "config", "document", "errors", "mailbox", "metrics", "secret", "worker"}
# The value types through which the four packages may know each other.
VALUE_TYPES = {
    "streamwatch.video.frame",
    "streamwatch.models.detection",
    "streamwatch.rules.alert",
    "streamwatch.rules.order",
    "streamwatch.rules.part",
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(node: ast.AST) -> Iterator[str]:
    """Full names of all imported modules, also of late imports."""
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def classes() -> dict[str, ast.ClassDef]:
    return {n.name: n for path in MODULES for n in ast.walk(tree(path)) if isinstance(n, ast.ClassDef)}


@pytest.mark.parametrize("path", MODULES, ids=IDS)
class TestModule:
    def test_is_named_after_an_idea(self, path: Path) -> None:
        assert path.stem not in FORBIDDEN_MODULES

    def test_fits(self, path: Path) -> None:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES
        for function in functions(tree(path)):
            length = (function.end_lineno or 0) - function.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{function.name} has {length} lines"

    def test_takes_few_parameters(self, path: Path) -> None:
        for function in functions(tree(path)):
            if "cli" in path.parts:  # each option of a command is a parameter
                continue
            arguments = function.args
            names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            names = [name for name in names if name not in ("self", "cls")]
            assert len(names) <= MAX_PARAMETERS, f"{function.name} takes {names}"

    def test_passes_no_keyword_dictionaries_through(self, path: Path) -> None:
        for function in functions(tree(path)):
            assert function.args.kwarg is None, f"{function.name} takes **{function.args.kwarg}"

    def test_names_its_classes_after_things(self, path: Path) -> None:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                assert not node.name.endswith(FORBIDDEN_CLASS_ENDS), node.name

    def test_bounds_its_buffers(self, path: Path) -> None:
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            keywords = {keyword.arg for keyword in node.keywords}
            if name in ("deque", "collections.deque"):
                assert "maxlen" in keywords or len(node.args) == 2, f"line {node.lineno}: deque without maxlen"
            if name in ("Queue", "queue.Queue"):
                assert "maxsize" in keywords or node.args, f"line {node.lineno}: Queue without maxsize"

    def test_catches_what_it_means(self, path: Path) -> None:
        if path.name == "worker.py":
            return
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                assert caught not in ("everything", "Exception", "BaseException"), f"line {node.lineno}: {caught}"

    def test_prints_only_in_the_command_line(self, path: Path) -> None:
        if "cli" in path.parts:
            return
        calls = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Call) and ast.unparse(n.func) == "print"]
        assert not calls, f"line {calls[0].lineno}"

    def test_keeps_asyncio_in_http_and_out_of_processes(self, path: Path) -> None:
        roots = {name.split(".")[0] for name in imports(tree(path))}
        assert "multiprocessing" not in roots
        if path.name != "http.py":
            assert "asyncio" not in roots

    def test_keeps_torch_in_training(self, path: Path) -> None:
        if "training" in path.parts:
            return
        roots = {name.split(".")[0] for name in imports(tree(path))}
        assert not roots & {"torch", "transformers", "sklearn", "onnx"}

    def test_keeps_what_not_everybody_has_in_its_place(self, path: Path) -> None:
        roots = {name.split(".")[0] for name in imports(tree(path))}
        relative = str(path.relative_to(PACKAGE))
        assert not [name for name, places in CONFINED.items() if name in roots and relative not in places]

    def test_imports_only_downwards(self, path: Path) -> None:
        relative = path.relative_to(PACKAGE)
        package = relative.parts[0] if len(relative.parts) > 1 else None
        for name in imports(tree(path)):
            if not name.startswith("streamwatch."):
                continue
            target = name.split(".")[1]
            if package in LAYERS:
                assert target not in ABOVE, f"{name} lies above {package}"
                sideways = target in LAYERS and target != package
                assert not sideways or name in VALUE_TYPES, f"{name} is beside {package} and no value type"
            elif relative.stem in (
                "activity",
                "errors",
                "metrics",
                "mailbox",
                "worker",
                "config",
                "document",
                "secret",
            ):
                assert target not in LAYERS | ABOVE, f"{name} lies above {relative}"

    def test_all_matches(self, path: Path) -> None:
        if path.stem in ("__init__", "__main__"):
            return
        body = tree(path).body
        listed = [
            ast.literal_eval(node.value)
            for node in body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ]
        assert listed, "no __all__"
        defined: set[str] = set()
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Assign):
                defined |= {ast.unparse(target) for target in node.targets}
            elif isinstance(node, ast.AnnAssign):
                defined.add(ast.unparse(node.target))
        missing = set(listed[0]) - defined
        assert not missing, f"__all__ lists {missing}, which {path.name} does not define"
        callables = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        public = {name for name in callables if not name.startswith("_")}
        assert public <= set(listed[0]), f"public but not in __all__: {public - set(listed[0])}"


@pytest.mark.parametrize("name", PURE)
def test_pure_module_touches_nothing(name: str) -> None:
    roots = {imported.split(".")[0] for imported in imports(tree(PACKAGE / name))}
    assert not roots & IMPURE


def test_classes_are_one_level_deep() -> None:
    known = classes()
    for name, node in known.items():
        for parent in node.bases:
            base = ast.unparse(parent).split("[")[0]
            if base in ROOT_CLASSES or base not in known or name.endswith("Error"):
                continue
            grand = [ast.unparse(b).split("[")[0] for b in known[base].bases]
            private = base.startswith("_") and set(grand) <= ROOT_CLASSES  # shared settings of pydantic models
            assert private or not grand or base == "Protocol", f"{name} ← {base} ← {grand}"


def test_top_level_holds_what_it_should() -> None:
    ignored = {".venv", "runs", "streamwatch-data", "dist", "build"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - ignored
    assert found <= TOP_LEVEL, found - TOP_LEVEL


def test_each_module_has_its_tests() -> None:
    """A module is covered by the test module that mirrors its path."""
    small = {"__init__", "__main__", "frame", "detection", "alert", "options"}
    missing = []
    for path in MODULES:
        relative = path.relative_to(PACKAGE)
        mirror = ROOT / "tests" / relative.parent / f"test_{relative.stem}.py"
        if relative.stem not in small and not mirror.exists():
            missing.append(str(relative))
    assert not missing, missing
