"""Responses that would run, hide or break something in a page that trusted them."""

from __future__ import annotations

RUN = "window.hacked=1"

HOSTILE: tuple[str, ...] = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f'"></textarea><img src=x onerror="{RUN}">',
    f"<svg onload={RUN}><circle r=9></svg>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<a href='javascript:{RUN}'>click</a> [click](javascript:{RUN})",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}></style></mglyph></math>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<body onload={RUN}><base href='http://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<link rel=stylesheet href=http://evil.example/x.css><style>*{display:none}</style>",
    f"<form action=http://evil.example><button formaction=javascript:{RUN}>Valid</button></form>",
    f"$\\href{{javascript:{RUN}}}{{click}}$ and $\\url{{javascript:{RUN}}}$",
    f"$\\htmlData{{x=1}}{{y}}$ \\(\\includegraphics{{http://evil.example/x.png}}\\) <!--{RUN}-->",
    "$$\\def\\x{\\x\\x}\\x$$ $\\frac{1$ \\[ \\begin{matrix} 1 & 2 \\] $$",
    "$\\rule{1000em}{1000em}$ $\\kern-1000em x$ $\\hspace{99999em}y$",
    f"```html\n<script>{RUN}</script>\n<img src=x onerror={RUN}>\n```",
    f"```constructor\n{RUN}\n``` ```__proto__\nx\n```",
    "safe \u202etxt.exe\u202c \u2066hidden\u2069 \u200b\u200f\ufeff end",
    "a\x00b\x1b[31mred\x07\r\nnext",
    "M" * 1_500_000,
    "$" * 20_000 + "\\(" * 20_000 + "```",
    "\u202e" * 5_000 + "<img src=x onerror=" + RUN + ">",
    f"{{{{constructor.constructor('{RUN}')()}}}} ${{{RUN}}} <%= 1 %>",
    f'passkBlock("x","y");\u2028{RUN}\u2029//',
    f"<object data='data:text/html,<script>{RUN}</script>'></object><embed src=javascript:{RUN}>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"&lt;script&gt;{RUN}&lt;/script&gt; &#60;img src=x onerror={RUN}&#62;",
    "a\u0300\u0301\u0302" * 3_000,
)
