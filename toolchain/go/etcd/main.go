// The server of etcd: its own main package lies in a module that releases don't publish as a whole.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
