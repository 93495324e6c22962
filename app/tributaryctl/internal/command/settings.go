package command

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/api/bytesize"
)

func (a *app) limitsCommand() *cobra.Command {
	var down, up string
	c := &cobra.Command{
		Use:   "limits",
		Short: "Show or change how fast the service may download and send",
		Example: `  tributaryctl limits
  tributaryctl limits --down 10M --up 500K
  tributaryctl limits --down none`,
		Args: takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			var patch api.SettingsPatch
			var err error
			if patch.DownloadLimit, err = parseLimit("--down", down); err != nil {
				return err
			}
			if patch.UploadLimit, err = parseLimit("--up", up); err != nil {
				return err
			}
			var s api.Settings
			if patch == (api.SettingsPatch{}) {
				s, err = a.client.Settings(c.Context())
			} else {
				s, err = a.client.SetSettings(c.Context(), patch)
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]int64{"download_limit": s.DownloadLimit, "upload_limit": s.UploadLimit})
			}
			a.printf("download  %s\nupload    %s\n", progress.Limit(s.DownloadLimit), progress.Limit(s.UploadLimit))
			return nil
		},
	}
	c.Flags().StringVar(&down, "down", "", "highest download `RATE` over all downloads; none to lift it")
	c.Flags().StringVar(&up, "up", "", "highest `RATE` of what is sent to peers; none to lift it")
	return c
}

// parseLimit reads a rate, "none" for no limit; nil if the flag is absent.
func parseLimit(flag, text string) (*int64, error) {
	switch text {
	case "":
		return nil, nil
	case "none", unlimited:
		return new(int64(0)), nil
	}
	n, err := bytesize.Parse(text)
	if err != nil {
		return nil, usagef("%s: %w", flag, err)
	}
	return &n, nil
}

// setting is what people are told of one of the service's settings. Its words are what `get` prints and `set` takes.
type setting struct {
	name    string
	unit    string // or the words that can be chosen
	meaning string
	without string // how the value without content is written, where it has one: an empty text or no limit
}

// Words for the values that an empty text or a 0 stands for inside.
const (
	unlimited  = "unlimited"
	always     = "always"
	none       = "none"
	theDefault = "default" // `set` takes it for every setting
)

// settings are all of them, in the order of api.Settings.
var settings = []setting{
	{"dir", "folder", "where files go", theDefault},
	{"sharing", "off, lan, on", "who is sent pieces of what you download: nobody, this network, anybody", ""},
	{"download_limit", "bytes/s", "highest speed of all downloads together", unlimited},
	{"upload_limit", "bytes/s", "highest speed of what is sent to peers", unlimited},
	{"monthly_upload", "bytes", "sent to peers in a calendar month at most", unlimited},
	{"uploads_per_object", "copies", "full copies of one file that are given to peers at most", unlimited},
	{"share_hours", "22:00-07:00", "the hours of the day in which is shared, in local time", always},
	{"keep_shared", "bytes", "finished files that are offered to peers at most, the newest first", unlimited},
	{"share_days", "days", "how long a finished file is offered", unlimited},
	{"battery_level", "percent", "on battery, sharing rests below this charge: 0 never, 100 always", ""},
	{"share_metered", "yes, no", "share on a network that is paid for by volume", ""},
	{"share_vpn", "yes, no", "share through a VPN, which may be an employer's", ""},
	{"max_active", "1 to 100", "downloads at a time; the others wait", ""},
	{"connections", "1 to 32", "connections to one server, for each download", ""},
	{"tries", "tries", "of a server in a row that bring nothing, after which a download has failed", unlimited},
	{"proxy", "URL", "http, https or socks5 proxy for servers", none},
}

func settingNamed(name string) (setting, bool) {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	if i < 0 {
		return setting{}, false
	}
	return settings[i], true
}

// show writes a value as it can be set.
func (s setting) show(value any) string {
	v := reflect.ValueOf(value)
	switch {
	case v.IsZero() && s.without != "":
		return s.without
	case v.Kind() == reflect.Bool:
		return yesNo(v.Bool())
	case v.Kind() == reflect.Int64: // every one of them counts bytes
		return bytesize.Format(v.Int())
	}
	return fmt.Sprint(value)
}

// parse reads what a value of the kind is set to.
func (s setting) parse(text string, kind reflect.Kind) (any, error) {
	if s.without == unlimited && (text == unlimited || text == none) {
		return 0, nil
	}
	switch kind {
	case reflect.Int64:
		n, err := bytesize.Parse(text)
		if err != nil {
			return nil, usagef("%s: %w", s.name, err)
		}
		return n, nil
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, usagef("%s: %q is not a whole number", s.name, text)
		}
		return n, nil
	case reflect.Bool:
		on, known := map[string]bool{"true": true, "yes": true, "on": true, "false": false, "no": false, "off": false}[text]
		if !known {
			return nil, usagef("%s: %q is neither yes nor no", s.name, text)
		}
		return on, nil
	}
	switch {
	case s.without != "" && text == s.without:
		return "", nil
	case s.name != "dir":
		return text, nil
	case text == "":
		return nil, usagef("dir: a folder is missing; dir=%s takes the service's own", theDefault)
	}
	return filepath.Abs(text)
}

// settingsTable is the part of the help that says what there is.
func settingsTable() string {
	var out strings.Builder
	t := table{tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)}
	t.row("  NAME", "UNIT", "DEFAULT", "MEANING")
	defaults := reflect.ValueOf(api.DefaultSettings())
	for i, s := range settings {
		value := s.show(defaults.Field(i).Interface())
		if s.name == "dir" {
			value = "~/Downloads"
		}
		t.row("  "+s.name, s.unit, value, s.meaning)
	}
	_ = t.Flush() // to memory
	return strings.TrimRight(out.String(), "\n")
}

const settingsHelp = `Bytes are written as 500K, 10M or 1.5G (powers of 1000), or 512Ki, 10Mi (powers of 1024). What
"get" prints, "set" takes. NAME=default takes back your choice: the administrator's holds again,
or the default.

`

func (a *app) settingsCommand() *cobra.Command {
	get := &cobra.Command{
		Use:               "get [NAME]",
		Short:             "Show all settings, or one",
		Long:              "get shows all settings, or one.\n\n" + settingsTable(),
		Example:           "  tributaryctl settings get\n  tributaryctl settings get max_active",
		Args:              takes(0, 1),
		ValidArgsFunction: completeSettings(false),
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range args {
				if _, known := settingNamed(name); !known {
					return unknownSetting(name)
				}
			}
			s, err := a.client.Settings(c.Context())
			if err != nil {
				return err
			}
			return a.printSettings(s, args...)
		},
	}
	set := &cobra.Command{
		Use:   "set NAME=VALUE...",
		Short: "Change settings, all of those named or none",
		Long:  "set changes settings, all of those named or none.\n\n" + settingsHelp + settingsTable(),
		Example: `  tributaryctl settings set dir=/srv/isos max_active=3
  tributaryctl settings set share_hours=22:00-07:00 monthly_upload=100G
  tributaryctl settings set download_limit=unlimited dir=default`,
		Args:              takes(1, -1),
		ValidArgsFunction: completeSettings(true),
		RunE: func(c *cobra.Command, args []string) error {
			change, err := parseSettings(args)
			if err != nil {
				return err
			}
			s, err := a.client.ChangeSettings(c.Context(), change)
			if err != nil {
				return slipIfInvalid(err)
			}
			var names []string
			for _, arg := range args {
				name, _, _ := strings.Cut(arg, "=")
				names = append(names, name)
			}
			return a.printSettings(s, names...)
		},
	}
	c := group("settings", "Show or change what the service keeps to", get, set)
	c.Long = "settings shows or changes what the service keeps to.\n\n" + settingsHelp + settingsTable()
	return c
}

// completeSettings offers the names of settings to the shell and, where they are set, the words that can be chosen.
func completeSettings(values bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, given []string, begun string) (offers []string, _ cobra.ShellCompDirective) {
		name, _, set := strings.Cut(begun, "=")
		if s, known := settingNamed(name); known && set && values {
			words := []string{theDefault}
			if s.without != "" && s.without != theDefault {
				words = append(words, s.without)
			}
			if strings.Contains(s.unit, ", ") {
				words = append(words, strings.Split(s.unit, ", ")...)
			}
			for _, word := range words {
				if offer := name + "=" + word; strings.HasPrefix(offer, begun) {
					offers = append(offers, offer)
				}
			}
			return offers, cobra.ShellCompDirectiveNoFileComp
		}
		if !values && len(given) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, s := range settings {
			word := s.name
			if values {
				word += "="
			}
			if strings.HasPrefix(word, begun) {
				offers = append(offers, cobra.CompletionWithDesc(word, s.meaning))
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// printSettings prints the named settings, or all.
func (a *app) printSettings(s api.Settings, names ...string) error {
	values := reflect.ValueOf(s)
	chosen := map[string]any{}
	t := a.table()
	for i := range values.NumField() {
		name := jsonName(values.Type().Field(i))
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		chosen[name] = values.Field(i).Interface()
		about, _ := settingNamed(name) // a newer service's, of which nothing is known, is shown as it is
		t.row(name, quote(about.show(chosen[name])))
	}
	if a.json {
		return a.printJSON(chosen)
	}
	return t.Flush()
}

// parseSettings reads NAME=VALUE words.
func parseSettings(words []string) (change api.SettingsChange, _ error) {
	values := map[string]any{}
	for _, word := range words {
		name, text, ok := strings.Cut(word, "=")
		if !ok {
			return change, usagef("%q is not NAME=VALUE", word)
		}
		if _, twice := values[name]; twice || slices.Contains(change.Reset, name) {
			return change, usagef("%s is given twice", name)
		}
		s, known := settingNamed(name)
		if !known {
			return change, unknownSetting(name)
		}
		if text == theDefault {
			change.Reset = append(change.Reset, name)
			continue
		}
		value, err := s.parse(text, kindOf(name))
		if err != nil {
			return change, err
		}
		values[name] = value
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		return change, err
	}
	if err := json.Unmarshal(encoded, &change.SettingsPatch); err != nil {
		return change, err
	}
	if _, err := change.Check(); err != nil {
		return change, usage(err)
	}
	return change, nil
}

// kindOf returns what the value of a setting is; it must exist.
func kindOf(name string) reflect.Kind {
	for field := range reflect.TypeFor[api.Settings]().Fields() {
		if jsonName(field) == name {
			return field.Type.Kind()
		}
	}
	return reflect.Invalid
}

func unknownSetting(name string) error {
	var known []string
	for _, s := range settings {
		known = append(known, s.name)
	}
	return usagef("there is no setting %q; there are %s", name, strings.Join(known, ", "))
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
