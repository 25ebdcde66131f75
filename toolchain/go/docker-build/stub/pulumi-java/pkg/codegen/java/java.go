// Package java stands in for pulumi-java's code generator, which not every module proxy serves. The provider only
// fills this struct when it writes its schema; no resource needs it.
package java

// PackageInfo holds the fields that the provider sets.
type PackageInfo struct {
	BuildFiles                      string            `json:"buildFiles,omitempty"`
	Dependencies                    map[string]string `json:"dependencies,omitempty"`
	GradleNexusPublishPluginVersion string            `json:"gradleNexusPublishPluginVersion,omitempty"`
}
