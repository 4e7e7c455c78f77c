"""Pages in a real browser, Chromium without a window: what a script finds there, and a picture of it."""
import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: pages are not opened")
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars",
           "--disable-dev-shm-usage", "--virtual-time-budget=20000"]
CATCH = "<script>window.failures = []; onerror = text => { failures.push(text); };</script>"


def run_in(page, script, folder):
    """What a script that ends with a value gives in a page; an error of the page itself is one here, too.

    The script is the body of a function.
    """
    ask = (f"<script>let found; try {{ found = (() => {{ {script} }})(); }} catch (e) {{ failures.push(String(e)); }}\n"
           "const answer = document.createElement('pre'); answer.id = 'answer';\n"
           "answer.textContent = JSON.stringify({ found, failures }); document.body.append(answer);</script>")
    path = folder / "asked.html"
    path.write_text(page.replace("<head>", "<head>" + CATCH, 1).replace("</body>", ask + "</body>"), encoding="utf-8")
    result = subprocess.run([CHROMIUM, *OPTIONS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", path.as_uri()],
                            capture_output=True, encoding="utf-8", timeout=120)
    match = re.search(r'<pre id="answer">(.*?)</pre>', result.stdout, re.DOTALL)
    assert match, result.stderr[-2000:]
    answer = json.loads(match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert not answer["failures"], answer["failures"]
    return answer["found"]


def needs_no_network(page):
    """Whether a page names no address from which something could be loaded."""
    return not re.search(r"""(src|href)=["']?(https?:)?//|@import|url\(|fetch\(|XMLHttp""", page)
