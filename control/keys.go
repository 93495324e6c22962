package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/control/internal/publish"
)

func newKeys() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "keys --data DIR",
		Short: "Print the public keys, and make them if there are none",
		Long: `Print, as JSON in hex, the public Ed25519 keys of DIR: "publisher" signs manifests,
and clients remember it; "grant" lets edges authorise clients, and manifests name
it. Both are made at the first use. Keep copies of the private keys beside them:
whoever loses them can no longer publish under the same identity.`,
		Example: `  tributary-control keys --data /srv/tributary`,
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := publish.OpenKeys(data)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{
				"publisher": publicHex(keys.Publisher), "grant": publicHex(keys.Grant),
			})
		},
	}
	dataFlag(cmd, &data)
	return cmd
}

func publicHex(key ed25519.PrivateKey) string {
	return hex.EncodeToString(key.Public().(ed25519.PublicKey))
}
