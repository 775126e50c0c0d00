"""The registries, one per kind of part. Their errors list the registered names."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pkgutil import resolve_name
from typing import Any, ClassVar

from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import Registry as MMEngineRegistry

from i2ibench.errors import UnknownPartError, UserError, near_match
from i2ibench.registry.contracts.promises import check_class, check_part
from i2ibench.registry.sources import blame, origin_of

__all__ = [
    "DATASETS", "DISCRIMINATORS", "ENCODERS", "EXECUTORS", "FEATURES", "GENERATORS", "HOOKS",
    "LOSSES", "METRICS", "PREPROCESSORS", "PROTOCOLS", "READERS", "REGISTRIES", "SEGMENTERS",
    "TRANSFORMS", "TRANSLATORS",
    "Registry",
]  # fmt: skip


class Registry(MMEngineRegistry):
    """A registry of mmengine whose `build` checks names and options before it constructs a part.

    Only registered names can be built. mmengine would import any dotted name, and names come from
    checkpoints that anybody may have written.

    Args:
        name: the kind of part, such as "loss".
        contracts: dotted names of the base classes of the kind, imported when a part is built.
            Every part must inherit from one of them. Empty for a kind without a contract.
        options: further options of mmengine's registry.

    Attributes:
        skipped: by plugin module, the reason why it could not be imported; shared by all
            registries.
        finders: functions that import plugins, called before every look-up; shared by all
            registries.
        conflicts: by name that two modules registered, a sentence that names both. Using such a
            name is an error.
    """

    skipped: ClassVar[dict[str, str]] = {}
    finders: ClassVar[list[Callable[[], object]]] = []

    def __init__(self, name: str, contracts: Sequence[str] = (), **options: Any) -> None:
        super().__init__(name, **options)
        self.contracts = contracts
        self.conflicts: dict[str, str] = {}

    def build(self, cfg: Mapping[str, Any], **derived: Any) -> Any:
        """Build the part that `cfg` describes, and check it against the contract of its kind.

        Args:
            cfg: a dict with `type` (a registered name, a class or a function) and the options of
                the constructor. It is not changed.
            derived: options that other objects determine, such as channel and class counts. A
                config that sets one of them itself is refused.

        Raises:
            UserError: the type is unknown, an option is unknown, missing or refused by the part, or
                the part breaks its contract (`i2ibench.registry.contracts`).
        """
        if not isinstance(cfg, Mapping):
            raise UserError(f"A {self.name} in a config is a dict with a 'type', not {cfg!r}.")
        options = dict(cfg)
        if "type" not in options:
            raise UserError(f"A {self.name} needs a 'type'; known: {self._listing()}.")
        kind = options.pop("type")
        part = self.part(kind)
        for name in derived.keys() & options.keys():
            raise UserError(
                f"The {self.name} {kind} gets {name!r} from the rest of the config; remove "
                f"{name!r} from its options."
            )
        check_options(part, {**derived, **options})
        built = self._construct(part, kind, {**derived, **options})
        if self.contracts:
            check_part(self.name, part, built, self.base_classes())
        return built

    def base_classes(self) -> dict[str, type]:
        """Import and return the base classes of this kind, by dotted name."""
        return {name: resolve_name(name) for name in self.contracts}

    def _construct(self, part: Callable[..., Any], kind: Any, options: Mapping[str, Any]) -> Any:
        """Call the part's constructor; errors about its options become a UserError."""
        if self.contracts:
            check_class(self.name, part, self.base_classes())
        try:
            return part(**options)
        except UserError:
            raise
        except (TypeError, ValueError) as error:
            source = blame(error)
            raise UserError(
                f"The {self.name} {kind} refuses its options: {error}"
                + (f" ({source})" if source else "")
            ) from error

    def find(self, name: str) -> Callable[..., Any]:
        """Return the class or function registered as `name`.

        Raises:
            UnknownPartError: no part has that name. The message lists the registered names, the
                near match and the plugins that were skipped.
            UserError: `name` is no string, or two plugins registered it; the message names both.
        """
        if not isinstance(name, str):
            raise UserError(f"The type of a {self.name} is a name, not {name!r}.")
        part = self.get(name)
        if name in self.conflicts:
            raise UserError(f"{self.conflicts[name]}. Rename one of them or uninstall its plugin.")
        if part is not None:
            return part
        left_out = "".join(f" Plugin {p!r} was skipped: {why}." for p, why in self.skipped.items())
        known = self.module_dict
        message = (
            f"No {self.name} named {name!r}.{near_match(name, known)} "
            f"Known: {self._listing()}.{left_out} If a plugin has it, name the plugin's folder: "
            "--plugins DIR."
        )
        raise UnknownPartError(message, self.name, name)

    def get(self, key: str) -> Any:
        """Return the class or function registered as `key`, here or in the parent registry.

        The result is None for an unknown name. Only the core parts and the plugins are imported,
        never the dotted name `key`.
        """
        self.import_from_location()
        if key in self.module_dict or self.parent is None:
            return self.module_dict.get(key)
        self.parent.import_from_location()
        return self.parent.module_dict.get(key)

    def part(self, kind: Any) -> Callable[..., Any]:
        """Return the part registered as `kind`; a class or function is returned as it is.

        Raises:
            UserError: see `find`.
        """
        return kind if callable(kind) else self.find(kind)

    def build_for(self, cfg: Mapping[str, Any], derived_options: Mapping[str, Any]) -> Any:
        """Build the part of a config, with those derived options that its constructor takes.

        Args:
            cfg: a dict with `type` and the options of the constructor.
            derived_options: options that the data and other parts determine, such as `num_classes`.
                Those that the constructor does not take are ignored. One that `cfg` sets too is an
                error.

        Raises:
            UserError: see `build`.
        """
        if not isinstance(cfg, Mapping) or "type" not in cfg:
            return self.build(cfg)
        taken = self.parameters(cfg["type"])
        return self.build(
            cfg, **{key: derived_options[key] for key in taken if key in derived_options}
        )

    def parameters(self, kind: str | Callable[..., Any]) -> list[str]:
        """Return the names of the options of a part's constructor.

        Args:
            kind: the registered name, or the class or function itself.
        """
        return list(options_of(self.part(kind)))

    def names(self) -> list[str]:
        """Return the names of all registered parts, plugins included, sorted."""
        self.import_from_location()
        return sorted(self.module_dict)

    def import_from_location(self) -> None:
        """Import the core parts of this kind and all plugins, unless they are imported already."""
        super().import_from_location()
        for find in self.finders:
            find()

    def _register_module(
        self,
        module: Callable[..., Any],
        module_name: str | list[str] | None = None,
        force: bool = False,
    ) -> None:
        names = [module_name] if isinstance(module_name, str) else module_name
        for name in names or [module.__name__]:
            first = self.module_dict.get(name)
            if force or first is None:
                continue
            same_place = (first.__module__, first.__qualname__)
            if same_place == (module.__module__, module.__qualname__):  # reloaded, as in a notebook
                del self._module_dict[name]
                continue
            both = " and ".join(origin_of(p.__module__).described() for p in (first, module))
            self.conflicts[name] = f"Two parts are registered as the {self.name} {name!r}: {both}"
            raise UserError(f"{self.conflicts[name]}.")
        super()._register_module(module, module_name, force)

    def _listing(self) -> str:
        return ", ".join(self.names()) or "none"


def options_of(part: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a part's constructor by name, without `self`.

    A class whose constructor has `*args` or `**kwargs` has the parameters of its base classes'
    constructors too. `*args` and `**kwargs` themselves are left out.
    """
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = dict(inspect.signature(part).parameters)
    if isinstance(part, type) and any(p.kind in open_ended for p in parameters.values()):
        for base in part.__mro__[1:]:
            own = vars(base).get("__init__")
            if inspect.isfunction(own):
                parameters = {**inspect.signature(own).parameters, **parameters}
        parameters.pop("self", None)
    return {name: p for name, p in parameters.items() if p.kind not in open_ended}


def check_options(part: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse unknown options of a part's constructor, and missing ones.

    Args:
        part: the class or function.
        options: the options by name. Their values are not checked.

    Raises:
        UserError: names the part and the option and, for an unknown option, the near match.
    """
    check_names(part, options)
    for option, parameter in options_of(part).items():
        if parameter.default is parameter.empty and option not in options:
            raise UserError(f"{getattr(part, '__name__', part)} needs the option {option!r}.")


def check_names(part: Callable[..., Any], options: Iterable[str]) -> None:
    """Refuse options that a part's constructor does not take.

    Args:
        part: the class or function.
        options: the names of the options.

    Raises:
        UserError: names the part, the option and the near match.
    """
    known = options_of(part)
    for option in options:
        if option not in known:
            raise UserError(
                f"{getattr(part, '__name__', part)} has no option {option!r}."
                f"{near_match(option, known)} Options: {', '.join(known) or 'none'}."
            )


def _core(
    name: str,
    package: str,
    *contracts: str,
    module: str = "i2ibench.registry.contracts",
    **options: Any,
) -> Registry:
    """Return the registry of the parts in a package of i2ibench."""
    dotted = [f"{module}.{contract}" for contract in contracts]
    return Registry(name, dotted, scope="i2ibench", locations=[f"i2ibench.{package}"], **options)


GENERATORS = _core("generator", "models.generators", "Generator")
DISCRIMINATORS = _core("discriminator", "models.discriminators", "Discriminator")
ENCODERS = _core("encoder", "models.encoders", "Encoder")
LOSSES = _core("loss", "models.losses", "Loss", "AdversarialLoss")
TRANSLATORS = _core(
    "translator", "models.translators", "Translator", module="i2ibench.models.translators.base"
)
PREPROCESSORS = _core("preprocessor", "models.translators", "Preprocessor")
DATASETS = _core("dataset", "data.datasets", "Dataset")
TRANSFORMS = _core("transform", "data.transforms", "Transform")
READERS = _core("reader", "data.registered_readers", "Reader")
SEGMENTERS = _core("segmenter", "evaluation.segmenters", "Segmenter")
METRICS = _core("metric", "evaluation.metrics", "Metric")
FEATURES = _core("feature", "evaluation.features", "Feature")
PROTOCOLS = _core(
    "protocol", "evaluation.protocols", "Protocol", module="i2ibench.evaluation.protocols.protocol"
)
EXECUTORS = _core("executor", "grids", "Executor")
HOOKS = _core("hook", "training.hooks", "Hook", module="mmengine.hooks", parent=MMENGINE_HOOKS)

REGISTRIES: dict[str, Registry] = {
    registry.name: registry
    for registry in (
        GENERATORS, DISCRIMINATORS, ENCODERS, LOSSES, TRANSLATORS, PREPROCESSORS,
        DATASETS, TRANSFORMS, READERS, SEGMENTERS, METRICS, FEATURES, PROTOCOLS, EXECUTORS,
        HOOKS,
    )
}  # fmt: skip
