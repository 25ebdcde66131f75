{{/* Name of a part: the release's, so that one namespace takes several. */}}
{{- define "todo.name" -}}
{{- printf "%s-%s" (.root.Release.Name | trunc 50 | trimSuffix "-") .part -}}
{{- end -}}

{{- define "todo.selector" -}}
app.kubernetes.io/name: {{ .part }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "todo.labels" -}}
{{ include "todo.selector" . }}
app.kubernetes.io/part-of: {{ .root.Chart.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* The restricted Pod Security standard. */}}
{{- define "todo.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "todo.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Whether the release brings a PostgreSQL of its own. */}}
{{- define "todo.ownDatabase" -}}
{{- if not (or .Values.database.url .Values.database.existingSecret) }}yes{{ end -}}
{{- end -}}

{{/* Where the database's address is. */}}
{{- define "todo.databaseUrl" -}}
name: DATABASE_URL
valueFrom:
  secretKeyRef:
    name: {{ .Values.database.existingSecret | default (include "todo.name" (dict "root" . "part" "database")) }}
    key: {{ if .Values.database.existingSecret }}{{ .Values.database.key }}{{ else }}uri{{ end }}
{{- end -}}

{{/* Another address is another version. */}}
{{- define "todo.databaseChecksum" -}}
{{- if .Values.database.url }}
annotations:
  checksum/database: {{ sha256sum .Values.database.url }}
{{- end }}
{{- end -}}

{{- define "todo.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "todo.selector" . | nindent 6 }}
{{- end -}}
