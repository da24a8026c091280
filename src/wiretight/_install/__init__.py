"""install(): wiretight in the place of the standard `ssl`, in whatever has imported it."""

from wiretight._install.installation import install as install
from wiretight._install.installation import uninstall as uninstall
