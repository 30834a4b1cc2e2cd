//go:build chromium

// `make test-report` runs what is in here: a real browser opens the page.
package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A seen is what the harness saw of the page.
type seen struct {
	LoadMS, FilterMS, SearchMS float64
	Steps                      []step
	Overflow                   int // pixels that the page is wider than its 360
	Violations                 []string
	Resources                  []string
	Broken                     int      // thumbnails that do not decode
	Cut                        []string // labels whose text is wider than they are
}

// A step is what one use of the page left visible.
type step struct {
	Name  string
	Shown map[string]int // rows by section
	Found string
}

// harness opens the page in a frame as wide as a phone, uses it as a person would, and posts what it saw.
const harness = `<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,">
<iframe width="360" height="800"></iframe>
<script>
const frame = document.querySelector("iframe"), seen = { Steps: [], Violations: [] };
const painted = () => new Promise(done => frame.contentWindow.requestAnimationFrame(() => setTimeout(done)));
const begun = performance.now();
frame.onload = async () => {
  await painted();
  seen.LoadMS = performance.now() - begun;
  const page = frame.contentDocument;
  page.addEventListener("securitypolicyviolation", e => seen.Violations.push(e.violatedDirective + " " + e.blockedURI));
  const look = name => {
    const shown = {};
    for (const section of page.querySelectorAll("section")) {
      const rows = section.getClientRects().length === 0 ? [] : [...section.querySelectorAll("li")];
      shown[section.id] = rows.filter(row => frame.contentWindow.getComputedStyle(row).display !== "none").length;
    }
    seen.Steps.push({ Name: name, Shown: shown, Found: page.getElementById("found").textContent });
  };
  look("open");
  for (const radio of page.querySelectorAll("fieldset input")) {
    const start = performance.now();
    radio.click();
    await painted();
    seen.FilterMS = Math.max(seen.FilterMS || 0, performance.now() - start);
    look(radio.id);
  }
  page.getElementById("show-all").click();
  const search = page.getElementById("search");
  for (const words of ["PERSON.00007", "research 04997", "nobody at all", ""]) {
    const start = performance.now();
    search.value = words;
    search.dispatchEvent(new Event("input"));
    await painted();
    seen.SearchMS = Math.max(seen.SearchMS || 0, performance.now() - start);
    look("search " + words);
  }
  const root = page.documentElement;
  seen.Overflow = root.scrollWidth - root.clientWidth;
  seen.Cut = [...page.querySelectorAll("fieldset label, h1, h2, li, li > *")].slice(0, 60).filter(e => e.scrollWidth > e.clientWidth + 1 && e.tagName !== "IMG").map(e => e.textContent);
  const faces = [...page.querySelectorAll("img")].slice(0, 20);
  const decoded = await Promise.allSettled(faces.map(face => { face.loading = "eager"; return face.decode(); }));
  seen.Broken = decoded.filter(d => d.status !== "fulfilled").length + faces.filter(face => face.naturalWidth !== 96).length;
  seen.Resources = frame.contentWindow.performance.getEntriesByType("resource").map(r => r.name).filter(name => !name.startsWith("data:"));
  await fetch("/seen", { method: "POST", body: JSON.stringify(seen) });
};
frame.src = "/report.html";
</script>`

// chromium runs the browser until ctx ends. Everything it asks for goes to proxy; nothing reaches a network.
func chromium(ctx context.Context, t *testing.T, proxy string, args ...string) *exec.Cmd {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		t.Fatal("CHROMIUM names no browser; run make test-report")
	}
	// Chromium goes on writing into its folder for a moment after it was told to end.
	profile, err := os.MkdirTemp("", "report")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) })
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps", "--disable-dev-shm-usage", "--user-data-dir=" + profile,
		"--proxy-server=" + proxy, "--proxy-bypass-list=<-loopback>", "--enable-logging=stderr", "--v=0"}, args...)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// open shows content to the harness. It returns what the harness saw, every request that was neither for the harness nor for
// the page, and what the browser wrote to its console.
func open(t *testing.T, content []byte) (result seen, strangers []string, console string) {
	t.Helper()
	var mu sync.Mutex
	done := make(chan seen, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/harness":
			fmt.Fprint(w, harness)
		case "/report.html":
			w.Write(content)
		case "/seen":
			var s seen
			if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
				t.Error(err)
			}
			done <- s
		default:
			if isBrowsersOwn(r.Host) {
				http.Error(w, "not here", http.StatusForbidden)
				return
			}
			mu.Lock()
			strangers = append(strangers, r.Method+" "+r.RequestURI)
			mu.Unlock()
			http.Error(w, "nothing else is here", http.StatusNotFound)
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // on a busy machine; it takes seconds
	defer cancel()
	// A name, so that the browser takes it for a web site; the proxy answers for it.
	cmd := chromium(ctx, t, server.URL, "--remote-debugging-port=0", "http://report.test/harness")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case result = <-done:
	case <-ctx.Done():
	}
	failed := ctx.Err() != nil
	cancel()
	cmd.Wait()
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			console += line
		}
	}
	if failed {
		t.Fatalf("the harness did not end; the browser says:\n%s", log.String())
	}
	mu.Lock()
	defer mu.Unlock()
	return result, strangers, console
}

// isBrowsersOwn says that Chromium asks for its maker's services, as it does whatever page is open. A page that did the same
// would still be found, by the console and by the list of its resources.
func isBrowsersOwn(host string) bool {
	name, _, _ := strings.Cut(host, ":")
	for _, maker := range []string{".google.com", ".googleapis.com", ".gvt1.com"} {
		if strings.HasSuffix(name, maker) && !strings.HasPrefix(name, "fonts.") {
			return true
		}
	}
	return false
}

func pageOf(t *testing.T, r Report) []byte {
	t.Helper()
	return []byte(write(t, "report.html", r))
}

func TestChromiumUsesThePage(t *testing.T) {
	const n = 5000
	begun := time.Now()
	content := pageOf(t, crowd(t, n, 64))
	t.Logf("%d rows: %.1f MB, made in %.1f s from small pictures", n, float64(len(content))/1e6, time.Since(begun).Seconds())
	got, strangers, console := open(t, content)
	t.Logf("loaded in %.0f ms, slowest filter %.0f ms, slowest search %.0f ms", got.LoadMS, got.FilterMS, got.SearchMS)

	if console != "" || len(strangers) > 0 || len(got.Violations) > 0 || len(got.Resources) > 0 {
		t.Errorf("console: %s\nrequests: %q\nviolations: %q\nresources: %q", console, strangers, got.Violations, got.Resources)
	}
	if got.Overflow > 0 {
		t.Errorf("at 360 pixels the page scrolls sideways by %d", got.Overflow)
	}
	if len(got.Cut) > 0 {
		t.Errorf("at 360 pixels these are cut: %q", got.Cut)
	}
	if got.Broken > 0 {
		t.Errorf("%d thumbnails are broken", got.Broken)
	}
	all := map[string]int{"failed": 500, "pending": 500, "uploaded": 3000, "unchanged": 1000}
	only := func(outcome string) map[string]int {
		shown := map[string]int{"failed": 0, "pending": 0, "uploaded": 0, "unchanged": 0}
		shown[outcome] = all[outcome]
		return shown
	}
	want := []step{
		{"open", all, ""}, {"show-all", all, ""},
		{"show-failed", only("failed"), ""}, {"show-pending", only("pending"), ""},
		{"show-uploaded", only("uploaded"), ""}, {"show-unchanged", only("unchanged"), ""},
		{"search PERSON.00007", map[string]int{"failed": 1, "pending": 0, "uploaded": 0, "unchanged": 0}, "1 of 5000 match."},
		{"search research 04997", map[string]int{"failed": 1, "pending": 0, "uploaded": 0, "unchanged": 0}, "1 of 5000 match."},
		{"search nobody at all", map[string]int{"failed": 0, "pending": 0, "uploaded": 0, "unchanged": 0}, "Nobody matches."},
		{"search ", all, ""},
	}
	if len(got.Steps) != len(want) {
		t.Fatalf("steps are %v", got.Steps)
	}
	for i, step := range got.Steps {
		if fmt.Sprint(step) != fmt.Sprint(want[i]) {
			t.Errorf("step is %v, want %v", step, want[i])
		}
	}
}

// dryRun is r before anything is sent; the fourth picture of every ten cannot be.
func dryRun(r Report) Report {
	rows, i := r.Rows, 0
	r.DryRun, r.Rows = true, func(yield func(Row) bool) {
		for row := range rows {
			planned := Row{User: row.User, File: row.File, Outcome: Planned, Size: row.Size, Width: row.Width, Height: row.Height,
				Extra: row.Extra, Open: row.Open}
			if i++; i%10 == 4 {
				planned = Row{User: row.User, File: row.File, Outcome: Refused, Reason: "this is a HEIC picture, as iPhones take them",
					Advice: "export it as JPEG", Extra: row.Extra}
			}
			if !yield(planned) {
				return
			}
		}
	}
	return r
}

func TestChromiumUsesTheDryRun(t *testing.T) {
	got, strangers, console := open(t, pageOf(t, dryRun(crowd(t, 20, 64))))
	if console != "" || len(strangers) > 0 || len(got.Violations) > 0 || got.Overflow > 0 || got.Broken > 0 || len(got.Cut) > 0 {
		t.Errorf("console: %s\nrequests: %q\n%+v", console, strangers, got)
	}
	want := []step{
		{"open", map[string]int{"refused": 2, "planned": 18}, ""}, {"show-all", map[string]int{"refused": 2, "planned": 18}, ""},
		{"show-refused", map[string]int{"refused": 2, "planned": 0}, ""}, {"show-planned", map[string]int{"refused": 0, "planned": 18}, ""},
	}
	if steps := got.Steps[:min(len(want), len(got.Steps))]; fmt.Sprint(steps) != fmt.Sprint(want) {
		t.Errorf("steps are %v, want %v", steps, want)
	}
}

func TestChromiumRunsNothingHostile(t *testing.T) {
	content := pageOf(t, hostileReport())
	if got, strangers, console := open(t, content); console != "" || len(strangers) > 0 || len(got.Violations) > 0 || got.Overflow > 0 || len(got.Cut) > 0 {
		t.Errorf("console: %s\nrequests: %q\n%+v", console, strangers, got)
	}
	// What could be smuggled in is stopped by the policy, and seen; without the policy it is asked for, and seen too.
	smuggled := bytes.Replace(content, []byte("</main>"), []byte(`<script>fetch("/stolen")</script><img src="http://elsewhere.test/x.png"><img src="https://elsewhere.test/y.png"></main>`), 1)
	if _, strangers, console := open(t, smuggled); len(strangers) > 0 || strings.Count(console, "Content Security Policy") < 3 {
		t.Errorf("the policy lets pass %q, and the console says: %s", strangers, console)
	}
	unprotected := bytes.Replace(smuggled, []byte("Content-Security-Policy"), []byte("X-None"), 1)
	if _, strangers, _ := open(t, unprotected); len(strangers) < 3 {
		t.Errorf("without a policy the requests are only %q", strangers)
	}
}

// TestChromiumPhotographs leaves pictures of the page in the folder that SCREENSHOTS names, for a person to look at.
func TestChromiumPhotographs(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, r := range map[string]Report{"run": crowd(t, 40, 320), "dry": dryRun(crowd(t, 14, 320)), "hostile": hostileReport()} {
		path := filepath.Join(dir, name+".html")
		if err := Write(path, r); err != nil {
			t.Fatal(err)
		}
		framed := filepath.Join(dir, "phone-"+name+".html") // a window is never as narrow as a phone
		frame := fmt.Sprintf(`<body style="margin:0"><iframe src="%s.html" width="360" height="1600" style="border:0"></iframe>`, name)
		if err := os.WriteFile(framed, []byte(frame), 0o600); err != nil {
			t.Fatal(err)
		}
		for shot, args := range map[string][]string{
			"light": {"--window-size=1100,1500", "file://" + path},
			"dark":  {"--window-size=1100,1500", "--blink-settings=preferredColorScheme=0", "file://" + path},
			"phone": {"--window-size=500,1600", "file://" + framed},
		} {
			args = append([]string{"--screenshot=" + filepath.Join(dir, name+"-"+shot+".png"), "--hide-scrollbars"}, args...)
			if out, err := chromium(t.Context(), t, "http://"+closed.Addr().String(), args...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
		pdf := "--print-to-pdf=" + filepath.Join(dir, name+".pdf")
		if out, err := chromium(t.Context(), t, "http://"+closed.Addr().String(), pdf, "file://"+path).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}
