module who

go 1.21
