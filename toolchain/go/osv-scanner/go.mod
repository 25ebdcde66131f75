module keelson/toolchain/osv-scanner

go 1.26.4

require github.com/google/osv-scanner/v2 v2.4.0
