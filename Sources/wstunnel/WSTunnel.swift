@main struct WSTunnel { static func main() {} }
