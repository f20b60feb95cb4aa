//! What to do about each trouble: one table.

/// Makes [`Trouble`] of the table, and one text of all advice: a text for each would take a place in a table of
/// addresses as well.
macro_rules! advice {
    ($($name:ident: $advice:literal,)*) => {
        /// What is wrong, so that something can be done about it. The table below says what each of them is.
        #[allow(missing_docs)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Trouble {
            $($name,)*
        }

        impl Trouble {
            /// Every trouble there is.
            pub const ALL: &[Trouble] = &[$(Trouble::$name,)*];
        }

        /// A line for each trouble.
        const ADVICE: &str = concat!($($advice, "\n",)*);
    };
}

impl Trouble {
    /// What to do about it.
    pub fn advice(self) -> &'static str {
        ADVICE.lines().nth(self as usize).unwrap_or_default()
    }
}

advice! {
    KeyMissing:
        "Set API_KEY, or API_KEY_FILE to a file with the key: Datadog has it under Organization Settings, API Keys. \
         A server of your own that asks for none takes any word.",
    NameUnknown:
        "No name server knows this name. Is it spelled right (DATADOG_URL, DATADOG_LOGS_URL, HTTPS_PROXY, \
         REDIS_HOST)? In a container, only names of the same network and of /etc/hosts are known.",
    NameServer: "No name server answers. Is the network up? /etc/resolv.conf names those that are asked.",
    NoResolver: "To look up names the agent starts itself again, and needs /proc and /dev/null. Mount them.",
    Refused:
        "Nothing listens at that port. Is the server started, and are host and port right? In a container, \
         localhost is the container itself.",
    NoWay:
        "Packets get lost on the way. Is the network up, and does a firewall let connections to that port out? \
         Where only a proxy leads out, set HTTPS_PROXY.",
    SocketMissing:
        "There is no such socket. Is the server started, and is the path right? Into a container, mount the \
         directory of the socket.",
    SocketDenied: "Let the agent's user write to that socket, as a member of its group for example.",
    ProxyCredentials:
        "Write user and password into HTTPS_PROXY: http://user:password@host:port, with % escapes for @ : / and %.",
    ProxyRefuses:
        "Have the proxy allow CONNECT to this host and port, or name the host in NO_PROXY if it can be reached \
         without.",
    ProxySilent: "What listens there is no HTTP proxy, or one that hangs. Are host and port of HTTPS_PROXY right?",
    CertificateExpired:
        "Is this board's clock right? Then whoever runs the server, or the proxy that looks inside, has to renew \
         the certificate.",
    CertificateNotYet:
        "This board's clock is behind, most likely. Set it, and keep it right: timedatectl set-ntp true.",
    CertificateIssuer:
        "A server of your own, or a proxy that looks inside? Put the certificate of the authority that signs for it \
         into a PEM file, and name that in SSL_CERT_FILE.",
    CertificateSelf:
        "The server shows the certificate of an authority, as openssl req -x509 makes it. Have that sign one for \
         the server (basicConstraints CA:FALSE), and name that of the authority in SSL_CERT_FILE.",
    CertificateName: "Use one of these names in the address, or have the certificate made for this one.",
    CertificateSoon: "Have it renewed before it ends: from then on nothing is delivered.",
    TlsOther:
        "Does that port speak TLS? A server without it needs http:// (redis:// for Redis). It must know TLS 1.3, or \
         1.2 with ECDHE and AES-GCM.",
    KeyRefused:
        "Is it an API key (not an application key), not revoked, and of this site? For another site set DATADOG_URL \
         to https://api.SITE/api and DATADOG_LOGS_URL to https://http-intake.logs.SITE, SITE being datadoghq.com, \
         us3.datadoghq.com, us5.datadoghq.com, datadoghq.eu, ap1.datadoghq.com, ap2.datadoghq.com or ddog-gov.com. \
         What is collected meanwhile is kept.",
    Redirected:
        "The server sends clients elsewhere, and the agent does not follow. Set DATADOG_URL to where it is meant to \
         go.",
    ServerTrouble: "The server has trouble, or sees too many requests. What is collected is kept and sent later.",
    NoAnswer:
        "Something accepts connections there, but does not answer as a web server does. Does DATADOG_URL name the \
         right host, port and scheme?",
    ClockOff: "Keep the clock right: timedatectl set-ntp true, or an NTP server in the local network.",
    ClockWrong:
        "Datadog drops points more than 10 minutes ahead, and stores those more than an hour behind only with \
         Historical Metrics. Set the clock, and keep it right: timedatectl set-ntp true.",
    RedisPassword:
        "Set REDIS_PASSWORD or REDIS_PASSWORD_FILE, and REDIS_USERNAME for a user of an access list; REDIS_URL has \
         them with % escapes. A server without a password wants none.",
    RedisRights: "Give the agent's user what it needs:",
    RedisLoading: "Redis reads its data from the disk. The agent waits until it has.",
    RedisStrange:
        "What listens there is no Redis. Are REDIS_HOST and REDIS_PORT right, and is REDIS_URL rediss:// where it \
         wants TLS?",
    RedisProtected:
        "Redis lets in only its own host (protected mode). Give it a password (requirepass) and the agent the same, \
         or let both meet at 127.0.0.1 or a unix socket.",
    RedisCluster: "That is a node of a cluster. The agent needs one Redis that has all of its keys.",
    RedisRefuses: "Redis itself says why; its log may say more.",
    RedisSilent:
        "Something accepts connections there and says nothing. Does Redis hang, or does it want TLS (rediss://)?",
    RedisOld:
        "The agent needs Redis 4.0 or later, or Valkey, with these commands under their own names (rename-command).",
    RedisInfo:
        "Memory policy, persistence and role could not be seen; the agent works without. To see them: ACL SETUSER \
         USER +info",
    RedisPolicy:
        "When its memory is full, this Redis drops keys, and with them what was not sent yet. redis-cli CONFIG SET \
         maxmemory-policy noeviction, and the same in redis.conf.",
    RedisForgets:
        "Nothing is written to the disk: what was not sent yet is gone when Redis starts again. redis-cli CONFIG \
         SET appendonly yes, or, with less wear, save \"300 1\"; and the same in redis.conf.",
    RedisReplica: "A replica takes no writes. Set REDIS_HOST or REDIS_URL to its master.",
    RedisFull: "Raise maxmemory. The agent frees memory as it sends; applications cannot store metrics meanwhile.",
    RedisDisk: "Redis cannot write to its disk and refuses writes. Is the disk full, or worn out? Its log says more.",
    QueueRaw:
        "Nobody takes what applications write. Is an agent started (systemctl status chouette-iot), with this Redis \
         and this REDIS_DB? Or is the clock of the writers wrong?",
    QueueUnsent:
        "Nobody sends it. Is an agent started (systemctl status chouette-iot)? Then what is told above holds it \
         back, or a back-off; its log tells.",
    QueueType: "Another program uses this key for something else. Give the agent a database of its own (REDIS_DB).",
    SpoolDenied:
        "Let the agent's user write there (chown, chmod 700), or set SPOOL_PATH to a directory of its own. Until \
         then the queue is in memory alone.",
    SpoolReadOnly: "Set SPOOL_PATH to a disk that can be written to. Until then the queue is in memory alone.",
    SpoolPath: "Set SPOOL_PATH to a directory that only the agent uses.",
    SpoolOwner: "Start the agent as the user the directory belongs to, or give it away: chown -R USER.",
    SpoolSmall:
        "Make room, or lower SPOOL_DISK_MAX: a tenth of the disk stays free. What finds no room stays in memory.",
    DockerDenied:
        "Make the agent's user a member of that socket's group (usermod -aG docker USER; SupplementaryGroups=docker \
         in its unit), which lets it do all that Docker can.",
    DockerMissing:
        "Is Docker started? Podman, or a Docker of another user, has its socket elsewhere: set DOCKER_SOCKET_PATH. \
         Into a container, mount it.",
    TegrastatsMissing:
        "Only an Nvidia Jetson has tegrastats, mostly at /usr/bin/tegrastats: set TEGRASTATS_PATH, or take \
         tegrastats out of COLLECTOR_PLUGINS.",
    TegrastatsSilent:
        "Start it by hand, as root and as the agent's user: some values are for root only. If it prints a form that \
         is not known, its line belongs into a report.",
    KubeletDenied:
        "401: the kubelet does not know who asks (K8S_TOKEN_PATH, or K8S_CERT_PATH and K8S_KEY_PATH). 403: the role \
         of the service account lacks get on nodes/stats.",
    KubeletToken:
        "Name a file with nothing but the token in K8S_TOKEN_PATH; in a pod it is \
         /var/run/secrets/kubernetes.io/serviceaccount/token.",
    KubeletAway:
        "Set K8S_STATS_SERVICE_IP to the node's own address (status.hostIP in a manifest), and K8S_CA_PATH to the \
         authority of its certificate.",
    DramatiqRights:
        "Let the agent's user of Redis read the queues of Dramatiq: ACL SETUSER USER ~dramatiq:* +scan +hlen.",
    PluginOther: "The agent goes on without what could not be read, and tries again each CAPTURE_INTERVAL.",
    DogstatsdTaken:
        "The agent does not start while another program has it. End that one, or change DOGSTATSD_PORT or \
         DOGSTATSD_SOCKET.",
    DogstatsdDenied:
        "The agent does not start without it. Take for DOGSTATSD_PORT one above 1023, for DOGSTATSD_HOST an address \
         of this board, for DOGSTATSD_SOCKET a path in a directory the agent's user may write to.",
    OpenFiles: "Raise it where the agent is started: LimitNOFILE=1024 in its unit, ulimit -n 1024 in a shell.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_one_line_of_advice() {
        assert_eq!(ADVICE.lines().count(), Trouble::ALL.len());
        for trouble in Trouble::ALL {
            let advice = trouble.advice();
            assert!(advice.len() > 20 && advice.ends_with(['.', '?', ':', 'o']), "{trouble:?}: {advice}");
        }
        assert_eq!(Trouble::RedisRights.advice(), "Give the agent's user what it needs:");
    }
}
