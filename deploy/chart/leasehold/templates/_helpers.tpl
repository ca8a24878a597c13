{{- define "leasehold.selectorLabels" -}}
app.kubernetes.io/name: leasehold
{{- end -}}

{{- define "leasehold.labels" -}}
{{ include "leasehold.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "leasehold.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{/* The network configuration list, as JSON. */}}
{{- define "leasehold.conflist" -}}
{{- if .Values.conflist -}}
{{- if or .Values.network .Values.chain -}}
{{- fail "conflist is the whole network configuration: say there what network and chain would say, and leave those out" -}}
{{- end -}}
{{ .Values.conflist | toPrettyJson }}
{{- else -}}
{{- $own := merge (dict "type" "leasehold") (default dict .Values.network) -}}
{{- $list := dict "cniVersion" "1.0.0" "cniVersions" (list "1.0.0" "1.1.0") "name" "lan" -}}
{{ merge $list (dict "plugins" (prepend (default list .Values.chain) $own)) | toPrettyJson }}
{{- end -}}
{{- end -}}
