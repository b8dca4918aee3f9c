//go:build race

package csvsum

func init() { raced = true }
