module weir.dev/e2e/volumes

go 1.26
