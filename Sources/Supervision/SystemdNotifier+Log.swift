package import HostSystem
package import Logging
import Observability

extension SystemdNotifier {
    /// A manager that cannot be reached is told of in the log.
    package convenience init(_ environment: ServiceEnvironment, logger: Logger) {
        self.init(environment) { failure in
            logger.warning(
                "Cannot reach the service manager at NOTIFY_SOCKET",
                metadata: [.errorMessage: "\(failure)"])
        }
    }
}
