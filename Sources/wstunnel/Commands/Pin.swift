import ArgumentParser
import HostSystem
import TunnelConfiguration
import X509

/// `wstunnel pin cert.pem`
struct Pin: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the pins of certificates, for pin-sha256 of tunnels.",
        discussion: "One line for each certificate of the file: the pin, and whose it is.")

    @Argument(help: "A PEM file of certificates.", completion: .file())
    var file: String

    func run() throws {
        let blocks: [PEMBlock]
        do {
            let content = try SystemConfigurationSource().readFile(at: file, sizeLimit: 4 << 20)
            blocks = try PEM.blocks(in: content.bytes).filter { $0.label.hasSuffix("CERTIFICATE") }
        } catch {
            throw ValidationError("cannot read certificates from \(file): \(error)")
        }
        guard !blocks.isEmpty else { throw ValidationError("\(file) holds no PEM certificate") }
        for block in blocks {
            do {
                let certificate = try X509Certificate(der: block.bytes)
                print("\(certificate.pin)  \(certificate)")
            } catch {
                throw ValidationError("\(file), line \(block.line): \(error)")
            }
        }
    }
}
