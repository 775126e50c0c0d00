"""Networks that describe a photo's appearance, instance by instance."""

from i2ibench.models.encoders.instance import InstanceEncoder
