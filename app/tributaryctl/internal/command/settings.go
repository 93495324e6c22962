package command

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

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
	case "none":
		return new(int64(0)), nil
	}
	n, err := bytesize.Parse(text)
	if err != nil {
		return nil, usagef("%s: %w", flag, err)
	}
	return &n, nil
}

func (a *app) settingsCommand() *cobra.Command {
	get := &cobra.Command{
		Use:     "get [NAME]",
		Short:   "Show all settings, or one",
		Example: "  tributaryctl settings get\n  tributaryctl settings get max_active",
		Args:    takes(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
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
		Example: `  tributaryctl settings set dir=/srv/isos max_active=3
  tributaryctl settings set share_hours=22:00-07:00 monthly_upload=100G`,
		Args: takes(1, -1),
		RunE: func(c *cobra.Command, args []string) error {
			patch, err := parseSettings(args)
			if err != nil {
				return err
			}
			s, err := a.client.SetSettings(c.Context(), patch)
			if err != nil {
				return err
			}
			var names []string
			for _, arg := range args {
				name, _, _ := strings.Cut(arg, "=")
				names = append(names, name)
			}
			return a.printSettings(s, names...)
		},
	}
	return group("settings", "Show or change what the service keeps to", get, set)
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
		t.row(name, orDash(fmt.Sprint(chosen[name])))
	}
	for _, name := range names {
		if _, known := chosen[name]; !known {
			return unknownSetting(name)
		}
	}
	if a.json {
		return a.printJSON(chosen)
	}
	return t.Flush()
}

// parseSettings reads NAME=VALUE words. Numbers of bytes may have units.
func parseSettings(words []string) (api.SettingsPatch, error) {
	values := map[string]any{}
	for _, word := range words {
		name, text, ok := strings.Cut(word, "=")
		if !ok {
			return api.SettingsPatch{}, usagef("%q is not NAME=VALUE", word)
		}
		if _, twice := values[name]; twice {
			return api.SettingsPatch{}, usagef("%s is given twice", name)
		}
		value, err := parseSetting(name, text)
		if err != nil {
			return api.SettingsPatch{}, err
		}
		values[name] = value
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		return api.SettingsPatch{}, err
	}
	var patch api.SettingsPatch
	if err := json.Unmarshal(encoded, &patch); err != nil {
		return api.SettingsPatch{}, err
	}
	if _, err := patch.Check(); err != nil {
		return api.SettingsPatch{}, &usageError{err}
	}
	return patch, nil
}

func parseSetting(name, text string) (any, error) {
	for field := range reflect.TypeFor[api.Settings]().Fields() {
		if jsonName(field) != name {
			continue
		}
		switch field.Type.Kind() {
		case reflect.Int64: // every one of them counts bytes
			n, err := bytesize.Parse(text)
			if err != nil {
				return nil, usagef("%s: %w", name, err)
			}
			return n, nil
		case reflect.Int:
			n, err := strconv.Atoi(text)
			if err != nil {
				return nil, usagef("%s: %q is not a whole number", name, text)
			}
			return n, nil
		case reflect.Bool:
			on, known := map[string]bool{"true": true, "yes": true, "on": true, "false": false, "no": false, "off": false}[text]
			if !known {
				return nil, usagef("%s: %q is neither yes nor no", name, text)
			}
			return on, nil
		}
		if name == "dir" {
			return filepath.Abs(text)
		}
		return text, nil
	}
	return nil, unknownSetting(name)
}

func unknownSetting(name string) error {
	var known []string
	for field := range reflect.TypeFor[api.Settings]().Fields() {
		known = append(known, jsonName(field))
	}
	return usagef("there is no setting %q; there are %s", name, strings.Join(known, ", "))
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
