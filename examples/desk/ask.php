<?php // Asks at the desk of an agent: php ask.php PORT TOKEN-FILE DOCUMENT SCHEME:VALUE PURPOSE
[, $port, $token, $document, $of, $purpose] = $argv;
echo file_get_contents("http://127.0.0.1:$port/ask", false, stream_context_create(["http" => [
    "method" => "POST",
    "header" => "Content-Type: application/json\r\nAuthorization: Bearer " . trim(file_get_contents($token)),
    "content" => json_encode(["document" => $document, "of" => $of, "for" => $purpose]),
    "ignore_errors" => true,
]]));
