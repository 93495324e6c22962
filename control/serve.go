package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/control/internal/serve"
)

func newServe() *cobra.Command {
	var cfg serve.Config
	var level string
	cmd := &cobra.Command{
		Use:   "serve --data DIR --listen ADDR:PORT",
		Short: "Run the edge and the control plane",
		Long: `Serve published files over HTTPS, and run the connection node, the directory, the
STUN server and the ledger. All of it needs one TCP port and two UDP ports.

Unless a certificate is given, the program makes a certificate authority of its
own in DIR and signs one for the advertised host. Nobody trusts it until told to:
start their service with "tributaryd run --ca DIR/ca.pem"; browsers and curl need the
same file. Use this for development and in closed networks.

When clients may come, one line of JSON is printed:
  {"control":"https://HOST:PORT","edge":"https://HOST:PORT","stun":"HOST:PORT"}

Reports are taken of objects that were published in DIR, and of so many new
downloads from one device and one address as honest ones have. What was refused
is logged once a minute, as a warning.

SIGINT and SIGTERM end the program: requests under way get up to five seconds.
publish and report may run on the same DIR meanwhile.`,
		Example: `  # try it on one machine; the system picks the ports
  tributary-control serve --data ./data --listen 127.0.0.1:0

  # for the world, with a certificate of a public authority
  tributary-control serve --data /srv/tributary --listen :443 --advertise dl.example.com \
    --cert fullchain.pem --key privkey.pem --stun :3478 --geo GeoLite2-ASN.mmdb

  # at most 100 MB a second from this edge
  tributary-control serve --data /srv/tributary --listen :443 --advertise dl.example.com \
    --edge-rate 100000000`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var threshold slog.Level
			switch {
			case cfg.Listen == "":
				return usageError{errors.New("--listen is required")}
			case (cfg.CertFile == "") != (cfg.KeyFile == ""):
				return usageError{errors.New("--cert and --key go together")}
			case !isHostPort(cmd.Context(), cfg.Listen):
				return usage(fmt.Errorf("--listen: %q is not ADDR:PORT, like :443 or 127.0.0.1:0", cfg.Listen))
			case cfg.STUN != "" && !isHostPort(cmd.Context(), cfg.STUN):
				return usage(fmt.Errorf("--stun: %q is not ADDR:PORT, like :3478", cfg.STUN))
			case cfg.EdgeRate < 0:
				return usageError{errors.New("--edge-rate must not be negative")}
			case threshold.UnmarshalText([]byte(level)) != nil:
				return usageError{fmt.Errorf("--log-level %q is none of debug, info, warn, error", level)}
			}
			cfg.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: threshold}))
			return serve.Run(cmd.Context(), cfg, func(r serve.Ready) error {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			})
		},
	}
	dataFlag(cmd, &cfg.Data)
	f := cmd.Flags()
	f.StringVar(&cfg.Listen, "listen", "", "ADDR:PORT of the TLS port; port 0 takes a free one (required)")
	f.StringVar(&cfg.Advertise, "advertise", "", "HOST[:PORT] by which clients reach this server (default: as --listen says)")
	f.Int64Var(&cfg.EdgeRate, "edge-rate", 0, "BYTES a second that the edge sends at most, all downloads together; 0: no limit")
	f.StringVar(&cfg.STUN, "stun", "", "ADDR:PORT of the STUN server, which also takes the UDP port after it (default: as --listen says)")
	f.StringVar(&cfg.CertFile, "cert", "", "FILE with the server's certificate chain, PEM")
	f.StringVar(&cfg.KeyFile, "key", "", "FILE with the certificate's key, PEM")
	f.StringArrayVar(&cfg.Geo, "geo", nil, "FILE in MaxMind format that names networks or countries; may be repeated")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// isHostPort says whether text could be where to listen.
func isHostPort(ctx context.Context, text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return false
	}
	_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port) // a number, or a name like https
	return err == nil
}
