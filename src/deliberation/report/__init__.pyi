from .figures import standalone_svg as standalone_svg
from .folder import build as build
from .folder import findings as findings
from .folder import notes as notes
from .folder import provenance as provenance
from .html import page as page
from .terminal import markdown as markdown
from .terminal import show as show
