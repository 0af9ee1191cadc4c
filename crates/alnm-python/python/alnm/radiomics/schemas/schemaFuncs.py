"""The extension of paramSchema.yaml for pykwalify."""

from pykwalify.errors import SchemaError

from alnm import AlnmError
from alnm.radiomics.parameters import check


def check_parameters(value, rule_obj, path):
    """Check the content of a parameter file.

    :raises SchemaError: for keys and values that are not allowed.
    """
    try:
        check(value)
    except AlnmError as error:
        raise SchemaError(str(error)) from None
    return True
