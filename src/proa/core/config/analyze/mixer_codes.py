"""The codes for what does not go together among Mixer's objects. `codes` takes them into the one table."""

from typing import Final

from proa.core.config.analyze.code import Code

MIXER: Final[dict[str, Code]] = {
    "mixer-reference-missing": Code(
        "error",
        "IST0101",
        "An object of Mixer's names another that nobody has",
        "The action, or the quota, is left out.",
        "Mend the name: name.kind.namespace is the whole one; shorter ones are of the rule's or the root namespace.",
    ),
    "mixer-template-unfit": Code(
        "error",
        "",
        "A rule gives a handler an instance that its adapter does not take",
        "The instance is left out of the action.",
        "Use an adapter that takes the template, or an instance of a template that the adapter takes.",
    ),
    "mixer-expression": Code(
        "error",
        "",
        "An expression of Mixer's cannot be evaluated",
        "It names an attribute that is not declared, or its types do not fit. The rule, or the instance, is left out.",
        "Mend the expression; attributes of your own are declared by an attributemanifest.",
    ),
    "mixer-attribute-conflict": Code(
        "error",
        "",
        "Two manifests give an attribute different types",
        "The first by name counts; the standard attributes come before all.",
        "Give the attribute one type, or another name.",
    ),
    "mixer-adapter-missing": Code(
        "warning",
        "",
        "A handler's adapter does not run here",
        "The handler is checked and cannot be applied.",
        "Install a package that brings the adapter, or use another one.",
    ),
    "mixer-quota-unlimited": Code(
        "error",
        "",
        "A rule charges a quota that its handler does not limit",
        "Each charge fails, and counts for what the rule's failure policy says.",
        "Add the quota to the handler by its whole name, like requestcount.quota.istio-system.",
    ),
    "mixer-limit-unused": Code(
        "warning",
        "",
        "A handler has settings for an instance that nobody has",
        "The limit, or the metric, is for nothing.",
        "Mend the name: it is the instance's whole name, with kind and namespace.",
    ),
    "mixer-dimension-missing": Code(
        "warning",
        "",
        "An override asks for a dimension that the quota has not",
        "The override never fits.",
        "Add the dimension to the quota instance, or mend its name.",
    ),
    "mixer-labels-differ": Code(
        "error",
        "",
        "A metric's labels are not the dimensions of its instance",
        "A series has a value for each label, which is the dimension of that name; it counts numbers or durations.",
        "Make labelNames and the instance's dimensions the same names.",
    ),
    "mixer-never-repeats": Code(
        "warning",
        "",
        "A rule depends on what is another one for each request",
        "No verdict can be used twice, so that every request asks Mixer.",
        "Leave the attribute out of checks and quotas; reports may have it.",
    ),
    "mixer-attribute-late": Code(
        "warning",
        "",
        "A check depends on what is known when the request is over",
        "The attribute is absent when it is asked for: the match fails, or the instance cannot be made.",
        "Use the attribute in reports alone.",
    ),
    "mixer-pattern-repeated": Code(
        "warning",
        "",
        "Two patterns of an HTTPAPISpec are for the same requests",
        "One of them counts.",
        "Remove one, or make their templates differ.",
    ),
    "mixer-unused": Code(
        "info",
        "",
        "Nothing uses an object of Mixer's",
        "It has no effect.",
        "Name it in a rule or binding, or remove it.",
    ),
}
