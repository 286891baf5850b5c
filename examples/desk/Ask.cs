// Asks at the desk of an agent: dotnet run PORT TOKEN-FILE DOCUMENT SCHEME:VALUE PURPOSE
using System.Net.Http.Headers;
using System.Net.Http.Json;

var client = new HttpClient();
var token = File.ReadAllText(args[1]).Trim();
client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
var question = new Dictionary<string, string> { ["document"] = args[2], ["of"] = args[3], ["for"] = args[4] };
var content = JsonContent.Create(question);
await content.LoadIntoBufferAsync(); // with its length, which the desk wants
var answer = await client.PostAsync($"http://127.0.0.1:{args[0]}/ask", content);
Console.WriteLine(await answer.Content.ReadAsStringAsync());
