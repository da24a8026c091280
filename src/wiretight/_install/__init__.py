"""install(): wiretight in place of the standard `ssl`, in every module that has imported it."""

from wiretight._install.installation import install as install
from wiretight._install.installation import uninstall as uninstall
