package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/api/bytesize"
)

// addFlags are the words of `add` that need more than copying into the request.
type addFlags struct {
	headers      []string
	cookies      []string
	passwordFile string
	limit        string
	wait         bool
}

func (a *app) addCommand() *cobra.Command {
	var request api.AddRequest
	var flags addFlags
	c := &cobra.Command{
		Use:   "add URL|FILE...",
		Short: "Download something",
		Long: `add asks the service to download each URL, or what a Metalink (.meta4, .metalink) or a
torrent with web seeds names: its addresses and checksums are taken over. The download
goes on when this program ends, and after a restart of the computer; with --wait the program
stays until it has ended, shows how far it is, and fails if the download failed. Ctrl-C ends
the waiting (exit code 130), not the download.
A server that does not answer is tried again without end, unless --tries or the setting
"tries" says how often.

An existing file is never overwritten: the new one gets another name.`,
		Example: `  tributaryctl add https://example.org/debian.iso
  tributaryctl add https://example.org/debian.iso --dir ~/isos --wait
  tributaryctl add https://example.org/a.zip --checksum sha-256:HEX
  tributaryctl add https://a.example/f --mirror https://b.example/f
  tributaryctl add debian.meta4
  tributaryctl add https://intra.example/f --user ann --password-file secret.txt`,
		Args: takes(1, -1),
		RunE: func(c *cobra.Command, urls []string) error {
			if err := a.completeRequest(&request, flags); err != nil {
				return err
			}
			return a.add(c.Context(), urls, request, flags.wait)
		},
	}
	f := c.Flags()
	f.StringVar(&request.Dir, "dir", "", "put the file in this `FOLDER` (default: the setting \"dir\")")
	f.StringVar(&request.Out, "out", "", "file `NAME` (default: what the server or the URL says)")
	f.StringVar(&request.Checksum, "checksum", "", "check the whole file, as `sha-256:HEX`; also md5, sha-1, sha-512")
	f.BoolVar(&flags.wait, "wait", false, "wait until the download has ended")
	f.StringArrayVar(&request.Mirrors, "mirror", nil, "another `URL` of the same bytes (repeatable)")
	f.StringArrayVar(&flags.headers, "header", nil, "send this `\"NAME: VALUE\"` to the server (repeatable)")
	f.StringArrayVar(&flags.cookies, "cookie", nil, "send this cookie, as `NAME=VALUE` (repeatable)")
	f.StringVar(&request.User, "user", "", "log in as `NAME`; the password is asked for")
	f.StringVar(&flags.passwordFile, "password-file", "", "read the password from the first line of `FILE` (- for standard input)")
	f.StringVar(&request.Proxy, "proxy", "", "http, https or socks5 `URL` of a proxy")
	f.StringVar(&flags.limit, "limit", "", "download at no more than this `RATE`, like 10M")
	f.IntVar(&request.Tries, "tries", 0, "fail after `N` tries of the server in a row that bring nothing (default: the setting \"tries\")")
	f.BoolVar(&request.Paused, "paused", false, "add it, but do not start it")
	f.BoolVar(&request.AllowLocal, "allow-local", false, "follow redirects into the local network")
	return c
}

// completeRequest reads the flags that have a form of their own. Nothing has been asked of the service yet.
func (a *app) completeRequest(r *api.AddRequest, flags addFlags) (err error) {
	if r.Tries < 0 {
		return usagef("--tries: %d is negative; 0 is as the setting \"tries\" says", r.Tries)
	}
	if flags.wait && r.Paused {
		return usagef("--wait and --paused contradict each other")
	}
	if r.Dir != "" {
		// The service has another working folder, so it must never see a relative path.
		if r.Dir, err = filepath.Abs(r.Dir); err != nil {
			return fmt.Errorf("--dir: %w", err)
		}
	}
	if r.Out != "" && filepath.Base(r.Out) != r.Out {
		return usagef("--out: %q is not the name of a file; --dir says in which folder it is", r.Out)
	}
	for _, mirror := range r.Mirrors {
		if !isAddress(mirror) {
			return usagef("--mirror: %q is not a complete web address", mirror)
		}
	}
	if err := checkProxy(r.Proxy); err != nil {
		return err
	}
	if flags.limit != "" {
		if r.RateLimit, err = bytesize.Parse(flags.limit); err != nil {
			return usagef("--limit: %w", err)
		}
	}
	if r.Headers, err = parseHeaders(flags.headers); err != nil {
		return err
	}
	for _, cookie := range flags.cookies {
		if !strings.Contains(cookie, "=") || strings.ContainsAny(cookie, "\r\n") {
			return usagef("--cookie: %q is not NAME=VALUE", cookie)
		}
	}
	r.Cookies = strings.Join(flags.cookies, "; ")
	r.Password, err = a.password(r.User, flags.passwordFile)
	return err
}

// isAddress says whether text begins like the address of a server. The service looks at the rest.
func isAddress(text string) bool {
	scheme, rest, ok := strings.Cut(text, "://")
	return ok && rest != "" && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http"))
}

// checkProxy looks at the flag --proxy, which takes what the setting takes.
func checkProxy(proxy string) error {
	if _, err := (api.SettingsPatch{Proxy: &proxy}).Check(); err != nil {
		return usagef("--%w", err) // the error begins with the setting's name
	}
	return nil
}

func parseHeaders(lines []string) (map[string]string, error) {
	headers := map[string]string{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(line, "\r\n") {
			return nil, usagef("--header: %q is not \"NAME: VALUE\"", line)
		}
		for known := range headers {
			if strings.EqualFold(known, name) {
				return nil, usagef("--header: %s is given twice", name)
			}
		}
		headers[name] = strings.TrimSpace(value)
	}
	return headers, nil
}

// password gets the secret that belongs to user without it ever being on a command line, which other
// users of the machine can read.
func (a *app) password(user, file string) (string, error) {
	switch {
	case user == "" && file != "":
		return "", usagef("--password-file needs --user")
	case user == "":
		return "", nil
	case strings.Contains(user, ":"):
		return "", usagef("--user takes the name alone; the password is asked for, or read from --password-file")
	case file == "":
		secret, err := a.AskSecret("Password for " + user + ": ")
		if errors.Is(err, ErrNoTerminal) {
			return "", usagef("the password of %s is needed, and %w: give --password-file", user, err)
		}
		return secret, err
	}
	text, err := a.readSecretFile(file)
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// longestSecret is how much of a password file is read, in bytes.
const longestSecret = 4096

func (a *app) readSecretFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(a.In, longestSecret))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, longestSecret))
}

// add asks for each URL. One that is refused does not keep the others from being added.
func (a *app) add(ctx context.Context, urls []string, request api.AddRequest, wait bool) error {
	if len(urls) > 1 && (request.Out != "" || request.Checksum != "" || len(request.Mirrors) > 0) {
		return usagef("--out, --checksum and --mirror belong to one URL")
	}
	var added []api.Download
	var refusals refusals
	refuse := func(argument string, err error) {
		if len(urls) > 1 {
			err = fmt.Errorf("%s: %w", argument, err)
		}
		refusals = append(refusals, err)
	}
	for _, argument := range urls {
		requests, err := a.requestsFor(ctx, argument, request)
		if err != nil {
			refuse(argument, err)
		}
		for _, r := range requests {
			d, err := a.client.Add(ctx, r)
			if r.URL == argument { // and not what a file says
				err = slipIfInvalid(err)
			}
			if err != nil {
				refuse(argument, err)
				continue
			}
			added = append(added, d)
			if wait {
				continue
			}
			if err := a.printAdded(d); err != nil {
				return err
			}
		}
	}
	if wait && len(added) > 0 {
		return errors.Join(refusals.error(true), a.wait(ctx, added))
	}
	return refusals.error(len(added) > 0)
}

// slipIfInvalid makes the service's refusal of something that was typed a slip on the command line.
func slipIfInvalid(err error) error {
	if api.CodeOf(err) == api.ErrInvalid {
		return usage(err)
	}
	return err
}

// refusals are the errors of a command on several things, of which one may be refused and another not.
type refusals []error

// error returns them as one. Only if nothing but slips came of the command line, it makes no sense as a whole.
func (r refusals) error(somethingDone bool) error {
	isSlip := func(err error) bool { _, ok := errors.AsType[*usageError](err); return ok }
	nothingElse := !somethingDone && !slices.ContainsFunc(r, func(err error) bool { return !isSlip(err) })
	var all []error
	for _, err := range r {
		if isSlip(err) && !nothingElse {
			err = errors.New(err.Error()) // a failure like any other
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

func (a *app) printAdded(d api.Download) error {
	if a.json {
		return a.printJSON(d)
	}
	a.printf("%s  %s\n", d.ID, quote(nameOf(d)))
	return nil
}
