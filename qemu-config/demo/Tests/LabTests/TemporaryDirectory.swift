import FoundationEssentials

func temporaryDirectory() throws -> String {
  let path = FileManager.default.temporaryDirectory
    .appending(path: "leafcutter-lab-tests-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  return path
}
