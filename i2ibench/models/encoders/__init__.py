"""Networks that encode the appearance of each instance of a real image."""

from i2ibench.models.encoders.instance import InstanceEncoder
